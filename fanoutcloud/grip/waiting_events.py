"""What a client said and the origin has not taken yet: batches, limits, and content that comes back. Pure.

Source: GRIP: WebSocket-over-HTTP, batching and Content-Bytes-Accepted.
"""

from collections import deque

from fanoutcloud.grip.ws_over_http import CLOSE, BadEvents, Event

#: Content that waits, beyond which the client is not read; also what one request holds at most.
MAX_WAITING_BYTES = 200_000


class WaitingEvents:
    """Events in the order in which they came."""

    __slots__ = ("_batch", "_events", "_has_news", "replayed_bytes", "size_bytes")

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._batch: list[Event] = []
        self._has_news = False
        self.size_bytes = 0
        #: How much of the batch the origin has seen and not taken.
        self.replayed_bytes = 0

    def add(self, event: Event) -> None:
        """Keep an event for the next request."""
        self._events.append(event)
        self.size_bytes += len(event.content)
        self._has_news = True

    @property
    def is_full(self) -> bool:
        """Whether the client is to be read no more."""
        return self.size_bytes >= MAX_WAITING_BYTES

    @property
    def has_news(self) -> bool:
        """Whether there is something that the origin has not seen."""
        return self._has_news

    def take_batch(self) -> list[Event]:
        """Return the events of the next request: as many as fit, always one. `accept` says what became of them."""
        batch: list[Event] = []
        size = 0
        while self._events and (not batch or size + len(self._events[0].content) <= MAX_WAITING_BYTES):
            event = self._events.popleft()
            size += len(event.content)
            batch.append(event)
        self._batch = batch
        self._has_news = bool(self._events)
        return batch

    def accept(self, accepted: int | None) -> None:
        """Know how many bytes of content the origin took of the batch; None: all.

        Raises:
            BadEvents: that makes no sense.
        """
        batch, self._batch = self._batch, []
        offered = sum(len(event.content) for event in batch)
        taken = offered if accepted is None else accepted
        if taken > offered:
            raise BadEvents(f"Content-Bytes-Accepted is {taken}, but {offered} were sent")
        if taken == 0 < offered and self._events:
            raise BadEvents("Content-Bytes-Accepted is 0, and more content waits than a request can hold")
        rest = _rest_of(batch, taken)
        self._events.extendleft(reversed(rest))
        self.size_bytes -= taken
        self.replayed_bytes = offered - taken

    def clear(self) -> None:
        """Forget everything."""
        self._events.clear()
        self._batch = []
        self.size_bytes = self.replayed_bytes = 0
        self._has_news = False


def _rest_of(batch: list[Event], taken: int) -> list[Event]:
    rest: list[Event] = []
    for event in batch:
        size = len(event.content)
        if rest:
            rest.append(event)
        elif size > taken:
            if event.type == CLOSE:
                raise BadEvents("Content-Bytes-Accepted ends inside of a close")
            rest.append(Event(event.type, event.content[taken:]))
        else:
            taken -= size
    return rest
