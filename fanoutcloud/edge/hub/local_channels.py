"""The channels that have somebody in this process: subscribed at the broker for the first, forgotten after the last."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.hub.subscriber_index import SubscriberIndex
from fanoutcloud.edge.hub.turns import Turns
from fanoutcloud.edge.presence.attendance import Attendance
from fanoutcloud.edge.reporting.subscription_log import SubscriptionLog

Spawn = Callable[[Coroutine[Any, Any, None]], None]  # Any: what a coroutine yields and is sent
Take = Callable[[LocalChannel, StoredItem], None]


class LocalChannels:
    """Kept by the hub, whose tasks `spawn` begins and whose `take` gets what came before a channel was open."""

    def __init__(self, broker: Broker, index: SubscriberIndex, clock: Clock, *, spawn: Spawn, take: Take) -> None:
        self.by_name: dict[tuple[RealmId, ChannelName], LocalChannel] = {}
        self.presence: Attendance | None = None  # who counts those that come and go
        self.subscriptions: SubscriptionLog | None = None  # for realms that follow which channels have subscribers
        self._broker = broker
        self._index = index
        self._clock = clock
        self._spawn = spawn
        self._take = take
        self._turns = Turns()

    # -- channels come and go

    def expect(self, realm: RealmId, channel: ChannelName) -> LocalChannel:
        """Keep the channel for somebody on the way to it until `expect_no_more`; usable once `opening` is done."""
        local = self.by_name.get((realm, channel))
        if local is None:
            local = LocalChannel(realm, channel, asyncio.get_running_loop().create_future(), self._turns)
            self.by_name[realm, channel] = local
            self._index.add_channel(local)
            if self.presence is not None:
                self.presence.opened(local)
            self._spawn(self._open(local))
        local.empty_since = None
        local.awaited += 1
        return local

    def expect_no_more(self, local: LocalChannel) -> None:
        """End what `expect` began."""
        local.awaited -= 1
        self.note_if_empty(local)

    def note_if_empty(self, local: LocalChannel) -> None:
        """Know since when nobody wants the channel, if that is so."""
        if local.is_empty:
            local.empty_since = self._clock.monotonic()

    def forget(self, local: LocalChannel) -> None:
        """End the broker subscription of a channel that nobody here wants any more."""
        self._drop(local)
        self._spawn(self._unsubscribe(local))

    async def _open(self, local: LocalChannel) -> None:
        """Subscribe at the broker; then let those go on who wait in `Hub.join`."""
        try:
            if self.subscriptions is not None:
                await self.subscriptions.opened(local.realm, local.channel)
            top = await self._broker.subscribe(local.realm, local.channel)
        except Exception as error:  # whatever it is, those who wait must hear of it
            self._drop(local)
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

    def _drop(self, local: LocalChannel) -> None:
        self.by_name.pop((local.realm, local.channel), None)
        self._index.remove_channel(local)

    async def _unsubscribe(self, local: LocalChannel) -> None:
        with contextlib.suppress(Unavailable):  # its items keep coming and are passed over
            await self._broker.unsubscribe(local.realm, local.channel)
        if self.subscriptions is not None:
            await self.subscriptions.closed(local.realm, local.channel)

    # -- subscribers come and go

    def note_entered(self, subscriber: Subscriber, channels: Sequence[LocalChannel]) -> None:
        """Know that an open subscriber has these channels from now on."""
        if self.presence is not None:
            for local in channels:
                self.presence.entered(subscriber, local)

    def note_exited(self, subscriber: Subscriber, channels: Sequence[LocalChannel]) -> None:
        """Know that a subscriber that entered these channels does not have them any more."""
        if self.presence is not None:
            for local in channels:
                self.presence.exited(subscriber, local)

    def leave(self, subscriber: Subscriber, channel: ChannelName, *, was_here: bool = True) -> None:
        """Deliver nothing more of the channel; `was_here`: the subscriber was an open one, which had entered it."""
        local = self.by_name.get((subscriber.realm, channel))
        if local is not None:
            local.remove(subscriber)
            if was_here and self.presence is not None:
                self.presence.exited(subscriber, local)
            self.note_if_empty(local)
