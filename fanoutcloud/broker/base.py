"""What a broker promises. Held by `memory.MemoryBroker` and `redis.RedisBroker`, and by one contract suite for both."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.streams import StoredItem, StreamPosition

#: A publisher's id is remembered this long per channel; a second item with it is not delivered again.
DUPLICATE_WINDOW_S = 60.0
#: An item whose `prev-id` has not been seen waits this long for the missing one, then goes out anyway.
REORDER_WAIT_S = 5.0
#: More waiting items than this in one channel: the oldest goes out at once, out of order but not lost.
MAX_REORDER_ITEMS = 100
#: A page of history is not continued beyond this: a hundred items of the largest size would be a hundred megabytes.
MAX_PAGE_BYTES = 1_048_576
#: A stream without items, readers or publishes is forgotten after this long; its next life has a new epoch.
STREAM_IDLE_S = 24 * 3600.0


class Outcome(enum.Enum):
    """What became of a published item. All three are successes to the publisher."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # the id was seen within the window; `position` is the first one's, if known
    WAITING = "waiting"  # stored apart until the item named by `prev-id` comes, or `REORDER_WAIT_S` pass


class PublishResult(msgspec.Struct, frozen=True, gc=False):
    """The answer to one item of a publish. `position` is None while the item waits for its predecessor."""

    outcome: Outcome
    position: StreamPosition | None


class ItemPublisher(Protocol):
    """Who stores items and counts them in the realm's limits. Handed over by the composition."""

    async def publish_items(
        self, realm: RealmSnapshot, items: Sequence[Item], *, via: str, key_hint: str | None = None
    ) -> list[PublishResult]:
        """Store the items in order; see `publishing.services.Publisher`."""


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """A part of what a channel keeps: between two positions, both not included; None is no bound."""

    after: StreamPosition | None = None
    before: StreamPosition | None = None
    limit: int = 100
    is_newest_first: bool = False

    def is_of(self, epoch: str) -> bool:
        """Whether the bounds are positions of this epoch."""
        return all(bound is None or bound.epoch == epoch for bound in (self.after, self.before))


@dataclass(frozen=True, slots=True)
class History:
    """Items of a window, in its order. `position` is the stream's newest; None: there is no such stream.

    `is_other_epoch`: the window's bounds are of another epoch than the stream has now, and were not regarded.
    """

    items: list[KeptItem]
    position: StreamPosition | None
    is_other_epoch: bool = False


#: A live item and whose it is: the realm, the channel, and the item with its position.
LiveItem = tuple[RealmId, ChannelName, StoredItem]


class BrokerListener(Protocol):
    """Who takes live items: the hub. Called on the event loop; must not block and must not raise."""

    def on_items(self, items: Sequence[LiveItem]) -> None:
        """Take live items in this order: all that came at once. A fault with one must not keep the others back.

        Offsets of a channel normally rise by one; a jump means that something was missed.
        """

    def on_reconnected(self) -> None:
        """Know that live items may have been missed on every channel: compare positions."""


#: Told of announcements: ephemeral bytes, at most once, from any process to all.
AnnouncementCallback = Callable[[bytes], None]


class Broker(Protocol):
    """Streams of items per (realm, channel), live and kept; and announcements between processes.

    Every method that waits is bounded by a deadline of the implementation and raises `Unavailable` past it; then
    nothing, some or all of it was stored (a publisher repeats with the same id and is not delivered twice).
    Realms never meet: names are always used in pairs (realm, channel).
    """

    async def start(self) -> None:
        """Connect. Raises `Unavailable` when the broker can't be reached."""

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""

    def attach(self, listener: BrokerListener) -> None:
        """Name the one listener for live items of this process."""

    async def publish(self, realm: RealmId, items: Sequence[Item], *, retention: Retention) -> list[PublishResult]:
        """Store `items` in order and send them to every process that subscribed; return one result each.

        Returns after storing. Per item and channel, in one atomic step: drop it when its `id` was seen within
        `DUPLICATE_WINDOW_S`; keep it waiting when the channel has a last id and `prev_id` is another one (unless
        `no_seq`, or another item waits for the same `prev_id`); else give it the next offset, keep it by `retention`,
        remember its `id` as the channel's last id (an item without an id clears that), and then let go of waiting
        items that follow on it. An item with `no_seq` leaves the last id as it is. The retention
        of the newest publish holds for all that the channel keeps.
        """

    async def subscribe(self, realm: RealmId, channel: ChannelName) -> StreamPosition:
        """Begin live delivery to the listener; return the newest position, taken after the beginning.

        Everything behind the returned position will come live. Creates the stream if needed, so that the position
        can be resumed from later. Idempotent: subscribing again returns the newest position.
        """

    async def unsubscribe(self, realm: RealmId, channel: ChannelName) -> None:
        """End live delivery of the channel to this process."""

    async def positions(self, channels: Sequence[tuple[RealmId, ChannelName]]) -> list[StreamPosition]:
        """Return the newest position of each channel. Also lets overdue waiting items go (see `publish`)."""

    async def read_since(
        self, realm: RealmId, channel: ChannelName, since: StreamPosition, *, limit: int
    ) -> list[StoredItem]:
        """Return at most `limit` kept items after `since`, oldest first, without gaps; empty when there are none.

        A page ends with the item that brings it to `MAX_PAGE_BYTES`: a reader costs no more memory than that, and one
        item. So fewer than `limit` items do not mean that there are no more.

        Raises:
            PositionLost: `since` has another epoch or lies in the future, or an item after it is no longer kept.
        """

    async def read_history(self, realm: RealmId, channel: ChannelName, window: HistoryWindow) -> History:
        """Return what is kept of the present epoch. For people who look: neither makes a stream nor lets it live on."""

    async def list_channels(self, realm: RealmId, *, prefix: str = "", limit: int) -> list[ChannelName]:
        """Return names of channels that have a stream, `limit` at most, in no order.

        Walks over all that the broker keeps, so it is for errands; one that begins meanwhile may be missing.
        """

    async def forget_realm(self, realm: RealmId) -> None:
        """Drop all streams of the realm (it was deleted)."""

    async def announce(self, topic: str, payload: bytes) -> None:
        """Send `payload` to every process that listens to `topic`, this one too. At most once, unordered, unkept."""

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """Call `callback` with each announcement of `topic` until the returned function is called."""

    async def check(self) -> None:
        """Return when the broker has answered one question. Raises `Unavailable` when it does not."""
