"""Bringing one subscriber of a channel from a position to live: history first, then what came meanwhile, by offset."""

import asyncio
from collections.abc import Callable, Sequence

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.streams import LAST_ITEM, PositionLost, StoredItem, StreamPosition
from fanoutcloud.edge.hub.channel import Joining, LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.reporting.ledger import Ledger

#: A channel that is open, and where in it somebody begins, None: now.
Place = tuple[LocalChannel, StreamPosition | None]


def is_wanted(subscriber: Subscriber, local: LocalChannel) -> bool:
    """Tell whether the subscriber still is there and has the channel: both can change while it joins."""
    return not subscriber.is_closed and local.channel in subscriber.channels


def begin_at(local: LocalChannel, since: StreamPosition | None) -> StreamPosition:
    """Return where somebody begins in the channel: at a position, before its newest item, or now."""
    if since is LAST_ITEM:
        top = local.position
        return StreamPosition(top.epoch, max(0, top.offset - 1))
    return since or local.position


def is_recovered(since: StreamPosition | None) -> bool:
    """Tell whether a client comes back with a position of its own."""
    return since is not None and since is not LAST_ITEM


def tell_places(subscriber: Subscriber, places: Sequence[Place]) -> None:
    """Tell a subscriber that it has these channels, of which it has missed nothing. `Hub.enter` them in this turn."""
    subscriber.begin({local.channel: local.position for local, _ in places})
    for local, since in places:
        subscriber.tell_subscribed(local.channel, local.position, recovered=is_recovered(since))


def begin_live(subscriber: Subscriber, local: LocalChannel, since: StreamPosition | None) -> None:
    """Tell a subscriber that it has the channel, and deliver from now on: it has missed nothing."""
    subscriber.tell_subscribed(local.channel, local.position, recovered=is_recovered(since))
    if is_wanted(subscriber, local):
        local.add(subscriber)


async def catch_up(
    subscriber: Subscriber,
    local: LocalChannel,
    since: StreamPosition,
    *,
    recovered: bool = True,
    broker: Broker,
    limits: EdgeLimits,
    ledger: Ledger | None = None,
    notice: Callable[[StreamPosition], None] = lambda top: None,
) -> None:
    """Deliver all that is kept after `since`, and leave the subscriber among the channel's live ones.

    `recovered`: `since` came from the client, who is told when it is lost; else it begins now instead.
    `notice` is told where the stream is when it can't be continued from `since`.

    Raises:
        Unavailable: the broker does not answer.
    """
    ledger = ledger or Ledger()
    ledger.edge.catch_ups += 1
    await _CatchingUp(subscriber, local, since, broker, limits, ledger, notice, recovered=recovered).run()


class _CatchingUp:
    """One subscriber on its way."""

    def __init__(
        self,
        subscriber: Subscriber,
        local: LocalChannel,
        since: StreamPosition,
        broker: Broker,
        limits: EdgeLimits,
        ledger: Ledger,
        notice: Callable[[StreamPosition], None],
        *,
        recovered: bool,
    ) -> None:
        self._recovered = recovered
        self._subscriber = subscriber
        self._local = local
        self._joining = Joining(since)
        self._broker = broker
        self._limits = limits
        self._ledger = ledger
        self._notice = notice
        self._is_told = False

    def _goes_on(self) -> bool:
        return is_wanted(self._subscriber, self._local)

    async def run(self) -> None:
        self._local.joining[self._subscriber] = self._joining
        try:
            while self._goes_on():
                await self._read_history()
                if self._merge_late():
                    return
                await asyncio.sleep(0)  # others of the channel have to get on, too
        finally:
            self._local.joining.pop(self._subscriber, None)

    async def _read_history(self) -> None:
        """Deliver all that is kept after where it stands, page by page."""
        local, joining, page_size = self._local, self._joining, self._limits.catch_up_page_items
        while self._goes_on():
            try:
                page = await self._broker.read_since(local.realm, local.channel, joining.at, limit=page_size)
            except PositionLost as lost:
                self._begin_anew(lost)
                return
            if not self._goes_on():
                return
            if not self._is_told:
                self._subscriber.tell_subscribed(local.channel, joining.at, recovered=self._recovered)
                self._is_told = True
            self._ledger.caught_up(self._subscriber, page)
            await self._deliver_page(page)
            if len(page) < page_size:
                return
            await self._wait_for_room()

    def _begin_anew(self, lost: PositionLost) -> None:
        """Say that items were lost, and go on at the stream's newest position."""
        if not self._goes_on():
            return
        if not self._is_told:
            self._subscriber.tell_subscribed(self._local.channel, lost.top, recovered=False)
            self._is_told = True
        if self._recovered:
            self._subscriber.tell_reset(self._local.channel, lost.top, lost.reason)
            self._ledger.lost(self._subscriber, self._local.channel, lost.reason)
        self._joining.at = lost.top
        self._notice(lost.top)

    async def _deliver_page(self, page: list[StoredItem]) -> None:
        """Deliver the items at the pace of the client; an item may end the subscriber, and then no more follow."""
        for stored in page:
            if self._subscriber.sink.unsent_bytes() > self._limits.catch_up_bytes:
                await self._wait_for_room()
            if not self._goes_on():
                return
            self._subscriber.take(stored)
            self._joining.at = stored.position

    async def _wait_for_room(self) -> None:
        """Wait as long as the client takes something in every `stuck_s`, however slowly it does."""
        sink = self._subscriber.sink
        while True:
            unsent_before = sink.unsent_bytes()
            try:
                async with asyncio.timeout(self._limits.stuck_s):
                    await sink.drained()
                return
            except TimeoutError:
                if sink.unsent_bytes() >= unsent_before:
                    self._subscriber.close(CloseReason.SLOW)
                    return

    def _merge_late(self) -> bool:
        """Deliver what came live behind history; return True when the subscriber is live or gone, False to read on."""
        subscriber, local, joining = self._subscriber, self._local, self._joining
        for stored in joining.late:
            at, position = joining.at, stored.position
            if not self._goes_on():
                return True
            if position.epoch == at.epoch and position.offset == at.offset + 1:
                subscriber.take(stored)
                joining.at = position
        joining.late.clear()
        if not self._goes_on():
            return True
        top = local.position
        if joining.at == top:
            local.add(subscriber, is_told=False)
        elif joining.at.epoch == top.epoch and joining.at.offset > top.offset:
            local.ahead[subscriber] = joining.at
        else:
            return False
        return True
