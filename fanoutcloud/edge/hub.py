"""The registry of who is subscribed to what in this process, and the fan-out.

One broker subscription per channel serves all local subscribers. The hub runs on one event loop; its methods are not
for other threads. Fan-out (`on_item`) never waits. Source: docs/topics/fan-out.md.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.activity import ActivitySink, Connected, Delivered, Disconnected
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import PositionLost, StoredItem, StreamPosition
from fanoutcloud.edge.channel import MAX_PENDING_ITEMS, Joining, LocalChannel
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.subscriber import Subscriber

logger = logging.getLogger(__name__)

#: How many connected subscribers are told of when somebody begins to watch a realm.
MAX_SNAPSHOT_SUBSCRIBERS = 200
FILL_RETRY_S = 1.0


class Hub:
    """Owned by the composition, which keeps `edge.housekeeping.keep_house` running and owns the hub's tasks."""

    def __init__(self, *, broker: Broker, activity: ActivitySink, limits: EdgeLimits, clock: Clock) -> None:
        self.limits = limits
        self.clock = clock
        self._broker = broker
        self._activity = activity
        self._channels: dict[tuple[RealmId, ChannelName], LocalChannel] = {}
        self._subscribers: set[Subscriber] = set()
        self._tasks: asyncio.TaskGroup | None = None
        broker.attach(self)

    @property
    def subscribers(self) -> set[Subscriber]:
        """All open subscribers; not to be changed."""
        return self._subscribers

    @property
    def channels(self) -> dict[tuple[RealmId, ChannelName], LocalChannel]:
        """All channels that are subscribed at the broker; not to be changed."""
        return self._channels

    # -- tasks

    def own_tasks(self, tasks: asyncio.TaskGroup) -> None:
        """Run this hub's tasks in `tasks`, which ends them all."""
        self._tasks = tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
        """Run `work` until it ends or the hub does; a fault in it is logged and hurts nobody else."""
        if self._tasks is None:
            work.close()
            raise RuntimeError("the hub is not running")
        self._tasks.create_task(_guarded(work))

    # -- subscribers come and go

    def register(self, subscriber: Subscriber) -> None:
        """Count the subscriber among the open ones; keep-alives begin."""
        self._subscribers.add(subscriber)
        subscriber.registry = self

    def unregister(self, subscriber: Subscriber) -> None:
        """Forget a subscriber whose connection is over. Idempotent."""
        if subscriber not in self._subscribers:
            return
        subscriber.is_closed = True
        self._subscribers.discard(subscriber)
        for channel in subscriber.channels:
            self._leave(subscriber, channel)
        if self._activity.is_watched(subscriber.realm):
            self._activity.record(
                subscriber.realm,
                Disconnected(
                    at=self.clock.now(),
                    connection=subscriber.connection,
                    transport=subscriber.wire.transport,
                    channels=list(subscriber.channels),
                    reason=subscriber.close_reason.reason,
                ),
            )

    def tell_connected(self, subscriber: Subscriber) -> None:
        """Show watchers of the realm that the subscriber is there, and its channels; nothing if it has left since."""
        if not subscriber.is_closed and self._activity.is_watched(subscriber.realm):
            self._activity.record(
                subscriber.realm,
                Connected(
                    at=self.clock.now(),
                    connection=subscriber.connection,
                    transport=subscriber.wire.transport,
                    channels=list(subscriber.channels),
                    address=subscriber.address,
                ),
            )

    def tell_all_connected(self, realm: RealmId) -> None:
        """Show a new watcher who is there already."""
        present = [subscriber for subscriber in self._subscribers if subscriber.realm == realm]
        for subscriber in present[:MAX_SNAPSHOT_SUBSCRIBERS]:
            self.tell_connected(subscriber)

    def close_realm(self, realm: RealmId) -> None:
        """End every connection of a realm that was deleted."""
        for subscriber in [s for s in self._subscribers if s.realm == realm]:
            subscriber.close(CloseReason.REALM_DELETED)

    # -- joining and leaving channels

    async def join(self, subscriber: Subscriber, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]) -> None:
        """Deliver the channels to `subscriber`, each from its position, or from now where that is None.

        Returns when it has been told of every channel and has caught up with all of them; live items may come
        before. Cancelling leaves it subscribed to some; `unregister` undoes all.

        Raises:
            Unavailable: the broker does not answer.
        """
        channels = [self._local(subscriber.realm, channel) for channel, _ in wanted]
        try:
            for local in channels:
                await asyncio.shield(local.opening)
            await self._join_opened(subscriber, channels, [since for _, since in wanted])
        finally:
            for local in channels:
                local.awaited -= 1
                self._note_if_empty(local)

    async def _join_opened(
        self, subscriber: Subscriber, channels: list[LocalChannel], sinces: list[StreamPosition | None]
    ) -> None:
        starts = {local.channel: since or local.position for local, since in zip(channels, sinces, strict=True)}
        subscriber.begin(starts)
        for local, since in zip(channels, sinces, strict=True):
            if subscriber.is_closed:
                return
            if local.channel not in subscriber.channels:
                subscriber.channels.append(local.channel)
            await self._join_one(subscriber, local, since)

    async def _join_one(self, subscriber: Subscriber, local: LocalChannel, since: StreamPosition | None) -> None:
        if since is None or since == local.position:
            subscriber.tell_subscribed(local.channel, local.position, recovered=since is not None)
            if _is_wanted(subscriber, local):
                local.add(subscriber)
        else:
            await self._catch_up(subscriber, local, since)

    async def _catch_up(self, subscriber: Subscriber, local: LocalChannel, since: StreamPosition) -> None:
        """Bring `subscriber` from `since` to live: history first, then what came meanwhile, merged by offset."""
        joining = local.joining[subscriber] = Joining(since)
        try:
            is_told = False
            while _is_wanted(subscriber, local):
                is_told = await self._read_history(subscriber, local, joining, is_told=is_told)
                if self._merge_late(subscriber, local, joining):
                    return
        finally:
            local.joining.pop(subscriber, None)

    async def _read_history(
        self, subscriber: Subscriber, local: LocalChannel, joining: Joining, *, is_told: bool
    ) -> bool:
        """Deliver all that is kept after `joining.at`, page by page; return whether the start has been told."""
        page_size = self.limits.catch_up_page_items
        while _is_wanted(subscriber, local):
            try:
                page = await self._broker.read_since(local.realm, local.channel, joining.at, limit=page_size)
            except PositionLost as lost:
                if not _is_wanted(subscriber, local):
                    break
                if not is_told:
                    subscriber.tell_subscribed(local.channel, lost.top, recovered=False)
                subscriber.tell_reset(local.channel, lost.top, lost.reason)
                joining.at = lost.top
                local.notice(lost.top)
                return True
            if not _is_wanted(subscriber, local):
                break
            if not is_told:
                subscriber.tell_subscribed(local.channel, joining.at, recovered=True)
                is_told = True
            await self._deliver_page(subscriber, local, joining, page)
            if len(page) < page_size:
                break
            await self._wait_for_room(subscriber)
        return is_told

    async def _deliver_page(
        self, subscriber: Subscriber, local: LocalChannel, joining: Joining, page: list[StoredItem]
    ) -> None:
        """Deliver the items at the pace of the client; an item may end the subscriber, and then no more follow."""
        for stored in page:
            if subscriber.sink.unsent_bytes() > self.limits.catch_up_bytes:
                await self._wait_for_room(subscriber)
            if not _is_wanted(subscriber, local):
                return
            subscriber.deliver(stored)
            joining.at = stored.position

    async def _wait_for_room(self, subscriber: Subscriber) -> None:
        try:
            async with asyncio.timeout(self.limits.stuck_s):
                await subscriber.sink.drained()
        except TimeoutError:
            subscriber.close(CloseReason.SLOW)

    def _merge_late(self, subscriber: Subscriber, local: LocalChannel, joining: Joining) -> bool:
        """Deliver what came live behind history; return True when the subscriber is live or gone, False to read on."""
        for stored in joining.late:
            at, position = joining.at, stored.position
            if not _is_wanted(subscriber, local):
                return True
            if position.epoch == at.epoch and position.offset == at.offset + 1:
                subscriber.deliver(stored)
                joining.at = position
        joining.late.clear()
        if not _is_wanted(subscriber, local):
            return True
        top = local.position
        if joining.at == top:
            local.add(subscriber)
        elif joining.at.epoch == top.epoch and joining.at.offset > top.offset:
            local.ahead[subscriber] = joining.at
        else:
            return False
        return True

    def leave(self, subscriber: Subscriber, channel: ChannelName) -> bool:
        """End delivery of one channel to the subscriber; return whether it had it."""
        if channel not in subscriber.channels:
            return False
        subscriber.channels.remove(channel)
        self._leave(subscriber, channel)
        return True

    def _leave(self, subscriber: Subscriber, channel: ChannelName) -> None:
        local = self._channels.get((subscriber.realm, channel))
        if local is not None:
            local.remove(subscriber)
            self._note_if_empty(local)

    def _note_if_empty(self, local: LocalChannel) -> None:
        if local.is_empty:
            local.empty_since = self.clock.monotonic()

    def _local(self, realm: RealmId, channel: ChannelName) -> LocalChannel:
        local = self._channels.get((realm, channel))
        if local is None:
            local = LocalChannel(realm, channel, asyncio.get_running_loop().create_future())
            self._channels[realm, channel] = local
            self.spawn(self._open(local))
        local.empty_since = None
        local.awaited += 1
        return local

    async def _open(self, local: LocalChannel) -> None:
        """Subscribe at the broker; then let those go on who wait in `join`."""
        try:
            top = await self._broker.subscribe(local.realm, local.channel)
        except Exception as error:  # whatever it is, those who wait in `join` must hear of it
            self._channels.pop((local.realm, local.channel), None)
            local.opening.set_exception(error)
            local.opening.exception()  # seen: there may be nobody left who waits
            if not isinstance(error, Unavailable):
                raise
            return
        early, local.pending = local.pending or [], None
        local.top = top
        for stored in early:
            self._take(local, stored)
        local.opening.set_result(None)

    def forget_channel(self, local: LocalChannel) -> None:
        """End the broker subscription of a channel that nobody here wants any more."""
        self._channels.pop((local.realm, local.channel), None)
        self.spawn(self._unsubscribe(local))

    async def _unsubscribe(self, local: LocalChannel) -> None:
        try:
            await self._broker.unsubscribe(local.realm, local.channel)
        except Unavailable:
            return  # its items keep coming and are passed over

    # -- live items (BrokerListener)

    def on_item(self, realm: RealmId, channel: ChannelName, stored: StoredItem) -> None:
        local = self._channels.get((realm, channel))
        if local is not None:
            self._take(local, stored)

    def on_reconnected(self) -> None:
        for local in self._channels.values():
            local.last_item_at = 0.0  # housekeeping compares these positions next, whenever their last item was

    def _take(self, local: LocalChannel, stored: StoredItem) -> None:
        """Broadcast the next item; pass over one seen before; fill a gap before one that is too far."""
        local.last_item_at = self.clock.monotonic()
        if local.pending is not None:
            if len(local.pending) < MAX_PENDING_ITEMS:
                local.pending.append(stored)
            return
        top = local.position
        if stored.position.epoch != top.epoch:
            local.restart(StreamPosition(stored.position.epoch, stored.position.offset - 1))
        elif stored.position.offset <= top.offset:
            return
        elif stored.position.offset > top.offset + 1:
            self.fill_gap(local, stored)
            return
        self._broadcast(local, stored)

    def _broadcast(self, local: LocalChannel, stored: StoredItem) -> None:
        local.broadcast(stored)
        if self._activity.is_watched(local.realm):
            self._tell_delivered(local, stored)

    def _tell_delivered(self, local: LocalChannel, stored: StoredItem) -> None:
        counts = local.count_by_transport()
        if counts:
            self._activity.record(
                local.realm,
                Delivered(
                    at=self.clock.now(),
                    channel=local.channel,
                    position=str(stored.position),
                    subscribers=counts.total(),
                    by_transport=dict(counts),
                ),
            )

    def fill_gap(self, local: LocalChannel, stored: StoredItem | None = None) -> None:
        """Read from history what is missing behind `top`, deliver it, then go on live. Does nothing if under way."""
        if local.pending is None:
            local.pending = [] if stored is None else [stored]
            self.spawn(self._fill(local))

    async def _fill(self, local: LocalChannel) -> None:
        while self._channels.get((local.realm, local.channel)) is local:
            try:
                page = await self._broker.read_since(
                    local.realm, local.channel, local.position, limit=self.limits.catch_up_page_items
                )
            except PositionLost as lost:
                local.restart(lost.top, lost.reason)
                continue
            except Unavailable:
                await asyncio.sleep(FILL_RETRY_S)
                continue
            for item in page:
                self._broadcast(local, item)
            is_whole = len(local.pending or ()) < MAX_PENDING_ITEMS
            if is_whole and len(page) < self.limits.catch_up_page_items:
                break
            if not is_whole:
                local.pending = []  # more came than were kept: history has them
        pending, local.pending = local.pending or [], None
        for item in pending:
            self._take(local, item)


def _is_wanted(subscriber: Subscriber, local: LocalChannel) -> bool:
    """Tell whether the subscriber still is there and has the channel: both can change while it joins."""
    return not subscriber.is_closed and local.channel in subscriber.channels


async def _guarded(work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
    try:
        await work
    except Exception:
        logger.exception("hub_task_failed")
