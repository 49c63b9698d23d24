"""One channel that has subscribers in this process: who they are, and how far it is."""

import asyncio
from collections import Counter
from collections.abc import Callable

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import EPOCH_CHANGED, StoredItem, StreamPosition
from fanoutcloud.edge.encoding.wire import WireFormat
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.hub.turns import Turns
from fanoutcloud.edge.presence.tally import Tally
from fanoutcloud.edge.presence.view import PresenceView
from fanoutcloud.edge.selection.selected import SelectedSubscribers, Wish

#: Live items kept for a subscriber that reads history; with more it reads on instead.
MAX_JOINING_ITEMS = 1000
#: More than this of one wire format is not gathered before it is written.
MAX_GATHERED_BYTES = 65_536
#: Live items kept while a gap is filled; with more, the rest is read from history, too.
MAX_PENDING_ITEMS = 1000


class Joining:
    """A subscriber that still reads history: how far it has got, and what has come live since it began."""

    __slots__ = ("at", "late")

    def __init__(self, at: StreamPosition) -> None:
        self.at = at
        self.late: list[StoredItem] = []

    def take(self, stored: StoredItem) -> None:
        """Keep a live item for later; when there are too many, keep none and leave them to history."""
        if len(self.late) >= MAX_JOINING_ITEMS:
            self.late.clear()
        self.late.append(stored)


class LocalChannel:
    """Subscribers of one channel in this process. All live ones stand at `top`.

    `top` is None until the broker has confirmed the subscription; what comes before is kept in `pending`. `pending` is
    also a list while a gap is filled from history, and None otherwise.
    """

    __slots__ = (
        "_gathered", "_turn", "_turns", "ahead", "awaited", "channel", "empty_since", "groups", "individual_counts",
        "individuals", "joining", "last_item_at", "left", "opening", "pending", "realm",
        "selected", "tally", "top", "view",
    )  # fmt: skip

    def __init__(self, realm: RealmId, channel: ChannelName, opening: asyncio.Future[None], turns: Turns) -> None:
        self.realm = realm
        self.channel = channel
        self.opening = opening
        self._turns = turns
        #: In which turn of the event loop the newest item came.
        self._turn = 0
        #: What was broadcast in that turn behind its first item and is not yet written, by wire format.
        self._gathered: dict[WireFormat, bytearray] = {}
        self.top: StreamPosition | None = None
        self.pending: list[StoredItem] | None = []
        #: How far anybody here had got in the epoch before this one.
        self.left: StreamPosition | None = None
        #: Wire format → its subscribers and how to write to each; one encoding serves a whole group.
        self.groups: dict[WireFormat, dict[Subscriber, Callable[[bytes], None]]] = {}
        self.individuals: dict[Subscriber, Callable[[StoredItem], None]] = {}
        self.individual_counts: Counter[str] = Counter()  # individuals by transport
        #: Those who do not want everything as it is; None: nobody, as nearly always.
        self.selected: SelectedSubscribers | None = None
        #: Who is here, and who is told of it (edge.presence); None where nobody asks.
        self.tally: Tally | None = None
        self.view: PresenceView | None = None
        self.joining: dict[Subscriber, Joining] = {}
        #: Subscribers that history brought beyond `top`: live items reach this process a moment later.
        self.ahead: dict[Subscriber, StreamPosition] = {}
        #: How many subscribers are on their way here: the channel must not be forgotten before they have arrived.
        self.awaited = 0
        self.empty_since: float | None = None
        self.last_item_at = 0.0

    @property
    def position(self) -> StreamPosition:
        """Where all live subscribers stand; only for channels that the broker has confirmed."""
        assert self.top is not None, "used before it was opened"
        return self.top

    def is_of_epoch(self, stored: StoredItem) -> bool:
        """Whether the item is of the stream as it is now, as far as is known here."""
        return stored.position.epoch == self.position.epoch

    @property
    def is_empty(self) -> bool:
        return not (self.awaited or self.groups or self.individuals or self.selected or self.joining or self.ahead)

    def add(self, subscriber: Subscriber, *, is_told: bool = True) -> None:
        """Deliver to `subscriber` from `top` on; `is_told`: it knows that it is there."""
        wish = subscriber.find_wish(self.channel)
        if wish is not None:
            if self.selected is None:
                self.selected = SelectedSubscribers()
            self.selected.add(subscriber, wish, is_told=is_told)
        elif subscriber.is_shared:
            self.write_gathered()  # it has that already, or does not want it
            self.groups.setdefault(subscriber.wire, {})[subscriber] = subscriber.sink.write
        elif subscriber not in self.individuals:
            self.individuals[subscriber] = subscriber.deliver
            self.individual_counts[subscriber.wire.transport] += 1

    def remove(self, subscriber: Subscriber) -> None:
        """Forget `subscriber` wherever it stands."""
        group = self.groups.get(subscriber.wire)
        if group is not None and group.pop(subscriber, None) is not None and not group:
            del self.groups[subscriber.wire]
        if self.individuals.pop(subscriber, None) is not None:
            self.individual_counts[subscriber.wire.transport] -= 1
        if self.selected is not None:
            self._remove_selected(self.selected, subscriber)
        self.joining.pop(subscriber, None)
        self.ahead.pop(subscriber, None)

    def _remove_selected(self, selected: SelectedSubscribers, subscriber: Subscriber) -> None:
        wish = subscriber.find_wish(self.channel)
        if wish is not None:
            selected.remove(subscriber, wish)
        if selected.is_empty:
            self.selected = None

    def is_behind(self, subscriber: Subscriber, wish: Wish) -> bool:
        """Whether the subscriber is live and what it has been told of is older than `top`."""
        is_live = subscriber not in self.joining and subscriber not in self.ahead
        return is_live and self.selected is not None and self.selected.is_behind(wish)

    def live_subscribers(self) -> list[Subscriber]:
        """Return those who are told directly: all but those who read history."""
        shared = [subscriber for group in self.groups.values() for subscriber in group]
        return [*shared, *self.individuals, *(self.selected or ()), *self.ahead]

    def count_by_transport(self) -> Counter[str]:
        """Return how many live subscribers there are of each transport."""
        counts: Counter[str] = Counter(self.individual_counts)
        for wire, group in self.groups.items():
            counts[wire.transport] += len(group)
        if self.selected is not None:
            counts += self.selected.count_by_transport()
        return +counts

    def broadcast(self, stored: StoredItem, items_out: dict[str, int] | None = None) -> int:
        """Write the next item to every subscriber; waits for none of them. Encodes once per wire format.

        The first item of a turn of the event loop is written at once. Those that follow in the same turn are gathered
        and written together at its end, one write for each subscriber: most of a burst's cost is the number of writes.

        Returns how many bytes that was together, and adds to `items_out` how many items by transport.
        """
        self.top = stored.position
        is_first = self._turn != self._turns.notice()
        self._turn = self._turns.number
        size_bytes = 0
        for wire, writers in list(self.groups.items()):
            frame = wire.item(stored)
            size_bytes += len(frame) * len(writers)
            if items_out is not None:
                items_out[wire.transport] += len(writers)
            if is_first or not wire.is_joinable:
                _write_to(writers, frame)
            else:
                self._gather(wire, frame)
            ending = wire.ending(stored.item)
            if ending is not None:
                self.write_gathered()
                for subscriber in list(writers):
                    subscriber.end(ending)
        if self.individuals or self.selected is not None or self.joining or self.ahead:
            size_bytes += self._broadcast_specially(stored, items_out)
        return size_bytes

    def _broadcast_specially(self, stored: StoredItem, items_out: dict[str, int] | None) -> int:
        """Deliver the item to those who are in no group by wire format; return how many bytes were written."""
        size_bytes = 0
        if self.individuals:
            size_bytes += self._deliver_individually(stored, items_out)
        if self.selected is not None:
            size_bytes += self.selected.broadcast(stored, items_out, estimate_bytes(stored))
        for joining in self.joining.values():
            joining.take(stored)
        if self.ahead:
            self._pass_those_ahead(stored)
        return size_bytes

    def _gather(self, wire: WireFormat, frame: bytes) -> None:
        if not self._gathered:
            self._turns.leave_to_end(self)
        gathered = self._gathered.setdefault(wire, bytearray())
        gathered += frame
        if len(gathered) >= MAX_GATHERED_BYTES:
            self._write(wire, bytes(self._gathered.pop(wire)))

    def _write(self, wire: WireFormat, frame: bytes) -> None:
        writers = self.groups.get(wire)
        if writers:
            _write_to(writers, frame)

    def write_gathered(self) -> None:
        """Write what was gathered: before anything depends on who is in a group, or on what they have been sent."""
        while self._gathered:
            wire, gathered = self._gathered.popitem()
            self._write(wire, bytes(gathered))

    def end_turn(self) -> None:
        """Write what was gathered since the turn's first item."""
        self.write_gathered()

    def _deliver_individually(self, stored: StoredItem, items_out: dict[str, int] | None) -> int:
        size_bytes = estimate_bytes(stored) * len(self.individuals)
        if items_out is not None:
            for transport, number in self.individual_counts.items():
                items_out[transport] += number
        for deliver in list(self.individuals.values()):
            deliver(stored)
        return size_bytes

    def _pass_those_ahead(self, stored: StoredItem) -> None:
        for subscriber, at in list(self.ahead.items()):
            if stored.position.offset >= at.offset:
                del self.ahead[subscriber]
                if stored.position.offset > at.offset:
                    subscriber.take(stored)
                self.add(subscriber, is_told=False)

    def restart(self, position: StreamPosition, reason: str = EPOCH_CHANGED) -> int:
        """Tell every live subscriber that items were lost and that the stream goes on at `position`.

        Returns how many have been told.
        """
        self.write_gathered()
        before = self.position
        if position.epoch != before.epoch:
            ahead_by = [at.offset for at in self.ahead.values() if at.epoch == before.epoch]
            self.left = StreamPosition(before.epoch, max([before.offset, *ahead_by]))
        self.top = position
        if self.selected is not None:
            self.selected.forget_bases()
        ahead, self.ahead = list(self.ahead), {}
        for subscriber in ahead:
            self.add(subscriber)
        told = self.live_subscribers()
        for subscriber in told:
            subscriber.tell_reset(self.channel, position, reason)
        return len(told)


def _write_to(writers: dict[Subscriber, Callable[[bytes], None]], frame: bytes) -> None:
    if len(writers) == 1:
        next(iter(writers.values()))(frame)
        return
    for write in list(writers.values()):  # a write may find the subscriber slow: removes it
        write(frame)


#: What an item's content is wrapped in on the wire: message, names, framing.
_WRAPPING_BYTES = 120


def estimate_bytes(stored: StoredItem) -> int:
    """Return about how many bytes one subscriber is written for the item, where its bytes are its own."""
    return stored.item.size_bytes + _WRAPPING_BYTES
