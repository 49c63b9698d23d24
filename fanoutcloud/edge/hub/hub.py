"""The registry of who is subscribed to what in this process, and the fan-out.

One broker subscription per channel serves all local subscribers. The hub runs on one event loop; its methods are not
for other threads. Fan-out (`on_items`) never waits. Source: docs/topics/fan-out.md.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice

from fanoutcloud.broker.base import Broker, ItemPublisher, LiveItem
from fanoutcloud.core.access import Grant
from fanoutcloud.core.activity import ActivitySink, refused_event
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.connections.violations import ViolationLog
from fanoutcloud.edge.hub.broadcasts import Broadcasts
from fanoutcloud.edge.hub.catching_up import Place, begin_at, begin_live, catch_up, is_recovered, tell_places
from fanoutcloud.edge.hub.channel import MAX_PENDING_ITEMS, LocalChannel
from fanoutcloud.edge.hub.gap_filling import fill
from fanoutcloud.edge.hub.local_channels import LocalChannels
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.hub.subscriber_index import SubscriberIndex
from fanoutcloud.edge.hub.tasks import TaskOwner
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.reporting.ledger import Ledger
from fanoutcloud.edge.reporting.sightings import connected_event, disconnected_event
from fanoutcloud.edge.selection.following import Followers

logger = logging.getLogger(__name__)

Send = Callable[[LocalChannel, StoredItem], None]
#: How many connected subscribers are told of when somebody begins to watch a realm.
MAX_SNAPSHOT_SUBSCRIBERS = 200


class Hub(TaskOwner):
    """Owned by the composition, which keeps `edge.hub.housekeeping.run_hub` running and owns the hub's tasks."""

    def __init__(
        self,
        *,
        broker: Broker,
        activity: ActivitySink,
        limits: EdgeLimits,
        clock: Clock,
        ledger: Ledger | None = None,
        gate: AccessGate | None = None,
    ) -> None:
        super().__init__()
        self.limits = limits
        self.gate = gate or AccessGate(clock)
        self.publisher: ItemPublisher | None = None  # for what clients publish
        self.followers: Followers | None = None  # where patterns can be followed
        self.ledger = ledger or Ledger()
        self.clock = clock
        self.violations = ViolationLog(clock)
        self._broker = broker
        self._activity = activity
        self.happenings: ActivitySink = activity  # told of connections and refusals, in front of those who watch
        self._subscribers: set[Subscriber] = set()
        self.index = SubscriberIndex()
        self.local_channels = LocalChannels(broker, self.index, clock, spawn=self.spawn, take=self.take)
        self._channels = self.local_channels.by_name
        broker.attach(self)

    @property
    def subscribers(self) -> set[Subscriber]:
        """All open subscribers; not to be changed."""
        return self._subscribers

    @property
    def channels(self) -> dict[tuple[RealmId, ChannelName], LocalChannel]:
        """All channels that are subscribed at the broker; not to be changed."""
        return self._channels

    @property
    def max_patterns(self) -> int:
        """How many patterns a subscriber may follow; none where nobody looks after that."""
        return 0 if self.followers is None else self.limits.max_patterns

    # -- subscribers come and go

    def register(self, subscriber: Subscriber) -> None:
        """Count the subscriber among the open ones; keep-alives begin."""
        self._subscribers.add(subscriber)
        self.index.add(subscriber)
        is_new = not subscriber.connected_at
        subscriber.connected_at = subscriber.connected_at or self.clock.now()
        self.ledger.opened(subscriber, is_new=is_new)
        subscriber.registry = self

    def unregister(self, subscriber: Subscriber) -> None:
        """Forget a subscriber whose connection is over. Idempotent."""
        if subscriber not in self._subscribers:
            return
        subscriber.is_closed = True
        self._subscribers.discard(subscriber)
        self.index.remove(subscriber)
        self.ledger.closed(subscriber)
        if self.followers is not None and subscriber.following is not None:
            self.followers.forget(subscriber)
        for channel in subscriber.channels:
            self.local_channels.leave(subscriber, channel)
        if self.happenings.is_watched(subscriber.realm):
            self.happenings.record(subscriber.realm, disconnected_event(subscriber, at=self.clock.now()))

    def set_grant(self, subscriber: Subscriber, grant: Grant) -> None:
        """Have an open subscriber go on with what another token gives."""
        its_channels = [self._channels[subscriber.realm, channel] for channel in subscriber.channels]
        self.index.remove(subscriber)
        self.local_channels.note_exited(subscriber, its_channels)
        subscriber.grant = grant
        self.index.add(subscriber)
        self.local_channels.note_entered(subscriber, its_channels)

    # -- subscribers move between processes (edge.handing_over, edge.rejoining)

    def find_positions(self, subscriber: Subscriber) -> dict[ChannelName, StreamPosition] | None:
        """Return what the subscriber has of each channel; None while that is about to change without an item."""
        positions = {}
        for channel in subscriber.channels:
            local = self._channels.get((subscriber.realm, channel))
            if local is None or local.top is None or subscriber in local.joining:
                return None
            local.write_gathered()
            positions[channel] = local.ahead.get(subscriber, local.top)
        return positions if subscriber.is_at_rest and subscriber in self._subscribers else None

    def detach(self, subscriber: Subscriber) -> None:
        """Deliver nothing more to a subscriber that leaves for another process. `rejoin` takes it back."""
        was_here = subscriber in self._subscribers
        if was_here:
            self._subscribers.discard(subscriber)
            self.index.remove(subscriber)
            self.ledger.closed(subscriber, reason="moved")
        for channel in subscriber.channels:
            self.local_channels.leave(subscriber, channel, was_here=was_here)

    def tell_connected(self, subscriber: Subscriber) -> None:
        """Show watchers of the realm that the subscriber is there, and its channels; nothing if it has left since."""
        if not subscriber.is_closed and self.happenings.is_watched(subscriber.realm):
            self.happenings.record(subscriber.realm, connected_event(subscriber, at=self.clock.now()))

    def tell_refused(self, realm: RealmId, error: FanoutError, address: str) -> None:
        """Count a subscriber, or a command of one, that was turned away; show it to watchers of the realm."""
        self.ledger.edge.refusals[error.code] += 1
        self.ledger.flight.refused(realm, error, side="subscribe", address=address)
        if self.happenings.is_watched(realm):
            self.happenings.record(realm, refused_event(error, at=self.clock.now(), address=address))

    def tell_all_connected(self, realm: RealmId) -> None:
        """Show a new watcher who is there already."""
        for subscriber in list(islice(self.index.of_realm(realm), MAX_SNAPSHOT_SUBSCRIBERS)):
            self.tell_connected(subscriber)

    def close_realm(self, realm: RealmId) -> None:
        """End every connection of a realm that was deleted."""
        for subscriber in list(self.index.of_realm(realm)):
            subscriber.close(CloseReason.REALM_DELETED)

    # -- joining and leaving channels

    async def join(self, subscriber: Subscriber, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]) -> None:
        """Deliver the channels to `subscriber`, each from its position, or from now where that is None.

        Returns when it has been told of every channel and has caught up with all of them; live items may come
        before. Cancelling leaves it subscribed to some; `unregister` undoes all.

        Raises:
            Unavailable: the broker does not answer.
        """
        places = self.find_places(subscriber.realm, wanted)
        if places is not None:
            tell_places(subscriber, places)
            self.enter(subscriber, places)
            return
        subscriber.is_settled = False
        channels = [self.local_channels.expect(subscriber.realm, channel) for channel, _ in wanted]
        try:
            for local in channels:
                await asyncio.shield(local.opening)
            sinces = await self.gate.where_to_begin(subscriber.realm, wanted)
            await self._join_opened(subscriber, list(zip(channels, sinces, strict=True)))
        finally:
            subscriber.is_settled = True
            for local in channels:
                self.local_channels.expect_no_more(local)

    def find_places(
        self, realm: RealmId, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]
    ) -> list[Place] | None:
        """Return where `enter` can bring a subscriber; None: channels must be opened or history be read, by `join`."""
        sinces = self.gate.find_beginnings(realm, wanted)
        if sinces is None:
            return None
        places = []
        for (channel, _), since in zip(wanted, sinces, strict=True):
            local = self._channels.get((realm, channel))
            if local is None or not local.opening.done() or begin_at(local, since) != local.position:
                return None
            places.append((local, since))
        return places

    def enter(self, subscriber: Subscriber, places: Sequence[Place]) -> None:
        """Deliver from now on, as `join` does, behind `tell_places`: in the same turn as that and `find_places`."""
        for local, since in places:
            if subscriber.is_closed:
                break
            self._bring(subscriber, local, since)
            local.add(subscriber)
            local.empty_since = None
            self.local_channels.note_if_empty(local)
        subscriber.is_settled = True

    def _bring(self, subscriber: Subscriber, local: LocalChannel, since: StreamPosition | None) -> bool:
        """Have it among the channel's; return whether it is live, so that there is no history to be read for it."""
        begin = begin_at(local, since)
        if local.channel not in subscriber.channels:
            subscriber.channels.append(local.channel)
            self.ledger.joined(subscriber, local.channel, None if since is None else begin)
            self.local_channels.note_entered(subscriber, [local])
        return begin == local.position

    async def _join_opened(self, subscriber: Subscriber, places: Sequence[Place]) -> None:
        subscriber.begin({local.channel: begin_at(local, since) for local, since in places})
        for local, since in places:
            if subscriber.is_closed:
                return
            if self._bring(subscriber, local, since):
                begin_live(subscriber, local, since)
            else:
                await catch_up(
                    subscriber,
                    local,
                    begin_at(local, since),
                    recovered=is_recovered(since),
                    broker=self._broker,
                    limits=self.limits,
                    ledger=self.ledger,
                    notice=partial(self.notice, local),
                )

    def leave(self, subscriber: Subscriber, channel: ChannelName) -> bool:
        """End delivery of one channel to the subscriber; return whether it had it."""
        if channel not in subscriber.channels:
            return False
        subscriber.channels.remove(channel)
        self.ledger.left(subscriber, channel)
        self.local_channels.leave(subscriber, channel)
        if self.followers is not None and subscriber.following is not None:
            self.followers.left(subscriber, channel)
        return True

    def tell_positions(self, subscriber: Subscriber) -> None:
        """Tell a subscriber with wishes how far its channels are where it was not sent the newest item."""
        for channel, wish in list((subscriber.wishes or {}).items()):
            local = self._channels.get((subscriber.realm, channel))
            if local is not None and local.is_behind(subscriber, wish):
                subscriber.tell_position(channel, local.position)

    # -- live items (BrokerListener)

    def on_items(self, items: Sequence[LiveItem]) -> None:
        self.ledger.edge.items_in += len(items)
        together = Broadcasts(self.ledger, self._activity, self.clock)
        for realm, channel, stored in items:
            local = self._channels.get((realm, channel))
            if local is not None:
                try:
                    self.take(local, stored, together.send)
                except Exception:  # one channel's fault must not keep the others' items back
                    logger.exception("fan_out_failed", extra={"realm": realm})
        together.end()

    def on_reconnected(self) -> None:
        self.ledger.edge.broker_reconnects += 1
        for local in self._channels.values():
            local.last_item_at = 0.0  # housekeeping compares these positions next, whenever their last item was

    def take(self, local: LocalChannel, stored: StoredItem, send: Send | None = None) -> None:
        """Broadcast the next item, by `send` if given; pass over one seen before; fill a gap before one too far."""
        local.last_item_at = self.clock.monotonic()
        if local.pending is not None:
            if len(local.pending) < MAX_PENDING_ITEMS:
                local.pending.append(stored)
            return
        top, position = local.position, stored.position
        ahead = position.offset - top.offset
        if ahead > 1 or position.epoch != top.epoch:
            self.fill_gap(local, stored)
        elif ahead > 0:
            (send or self.broadcast)(local, stored)

    def broadcast(self, local: LocalChannel, stored: StoredItem) -> None:
        alone = Broadcasts(self.ledger, self._activity, self.clock)
        alone.send(local, stored)
        alone.end()

    def restart(self, local: LocalChannel, position: StreamPosition, reason: str) -> None:
        """Tell all of a channel that items were lost to them, and go on at `position`."""
        self.ledger.edge.resets[reason] += local.restart(position, reason)

    def notice(self, local: LocalChannel, top: StreamPosition) -> None:
        """Know from history where the stream is: if in another epoch, those who are live are brought there, too.

        Whoever found out can't join them before, and would ask history until the next comparison of positions.
        """
        if local.pending is None and top.epoch != local.position.epoch:
            self.fill_gap(local)

    def fill_gap(self, local: LocalChannel, stored: StoredItem | None = None) -> None:
        """Read from history what is missing behind `top`, deliver it, then go on live. Does nothing if under way."""
        if local.pending is None:
            local.pending = [] if stored is None else [stored]
            self.ledger.edge.gap_fills += 1
            self.spawn(fill(self, self._broker, local))
