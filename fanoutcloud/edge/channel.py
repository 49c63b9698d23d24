"""One channel that has subscribers in this process: who they are, and how far it is."""

import asyncio
from collections import Counter
from collections.abc import Callable

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import EPOCH_CHANGED, StoredItem, StreamPosition
from fanoutcloud.edge.subscriber import Subscriber
from fanoutcloud.edge.wire import WireFormat

#: Live items kept for a subscriber that reads history; with more it reads on instead.
MAX_JOINING_ITEMS = 1000
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
        "ahead", "awaited", "channel", "empty_since", "groups", "individuals", "joining", "last_item_at", "opening",
        "pending", "realm", "top",
    )  # fmt: skip

    def __init__(self, realm: RealmId, channel: ChannelName, opening: asyncio.Future[None]) -> None:
        self.realm = realm
        self.channel = channel
        self.opening = opening
        self.top: StreamPosition | None = None
        self.pending: list[StoredItem] | None = []
        #: Wire format → its subscribers and how to write to each; one encoding serves a whole group.
        self.groups: dict[WireFormat, dict[Subscriber, Callable[[bytes], None]]] = {}
        self.individuals: dict[Subscriber, Callable[[StoredItem], None]] = {}
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

    @property
    def is_empty(self) -> bool:
        return not (self.awaited or self.groups or self.individuals or self.joining or self.ahead)

    def add(self, subscriber: Subscriber) -> None:
        """Deliver to `subscriber` from `top` on."""
        if subscriber.is_shared:
            self.groups.setdefault(subscriber.wire, {})[subscriber] = subscriber.sink.write
        else:
            self.individuals[subscriber] = subscriber.deliver

    def remove(self, subscriber: Subscriber) -> None:
        """Forget `subscriber` wherever it stands."""
        group = self.groups.get(subscriber.wire)
        if group is not None and group.pop(subscriber, None) is not None and not group:
            del self.groups[subscriber.wire]
        self.individuals.pop(subscriber, None)
        self.joining.pop(subscriber, None)
        self.ahead.pop(subscriber, None)

    def live_subscribers(self) -> list[Subscriber]:
        """Return those who are told directly: all but those who read history."""
        shared = [subscriber for group in self.groups.values() for subscriber in group]
        return [*shared, *self.individuals, *self.ahead]

    def count_by_transport(self) -> Counter[str]:
        """Return how many live subscribers there are of each transport."""
        counts: Counter[str] = Counter()
        for wire, group in self.groups.items():
            counts[wire.transport] += len(group)
        for subscriber in self.individuals:
            counts[subscriber.wire.transport] += 1
        return counts

    def broadcast(self, stored: StoredItem) -> None:
        """Write the next item to every subscriber; waits for none of them. Encodes once per wire format."""
        self.top = stored.position
        for wire, writers in list(self.groups.items()):
            frame = wire.item(stored)
            for write in list(writers.values()):  # a write may find the subscriber slow, which removes it
                write(frame)
            ending = wire.ending(stored.item)
            if ending is not None:
                for subscriber in list(writers):
                    subscriber.end(ending)
        for deliver in list(self.individuals.values()):
            deliver(stored)
        for joining in self.joining.values():
            joining.take(stored)
        if self.ahead:
            self._pass_those_ahead(stored)

    def _pass_those_ahead(self, stored: StoredItem) -> None:
        for subscriber, at in list(self.ahead.items()):
            if stored.position.offset >= at.offset:
                del self.ahead[subscriber]
                if stored.position.offset > at.offset:
                    subscriber.deliver(stored)
                self.add(subscriber)

    def notice(self, top: StreamPosition) -> None:
        """Know from history where the stream is: if that is another epoch, live subscribers are told at once.

        Whoever found out could not join them before, and would ask history until the next comparison of positions.
        """
        if self.pending is None and top.epoch != self.position.epoch:
            self.restart(top)

    def restart(self, position: StreamPosition, reason: str = EPOCH_CHANGED) -> None:
        """Tell every live subscriber that items were lost and that the stream goes on at `position`."""
        self.top = position
        ahead, self.ahead = list(self.ahead), {}
        for subscriber in ahead:
            self.add(subscriber)
        for subscriber in self.live_subscribers():
            subscriber.tell_reset(self.channel, position, reason)
