"""Keeps which channels of a realm get subscribers and lose them, for realms that use the subscription feed.

A channel counts as subscribed while any edge has it open, which outlasts its last subscriber by `linger_s`. Opening is
written down before the first item can be delivered; of several edges each writes it, which hurts nobody. Source:
docs/api/rest-compat.md.
"""

import logging
from collections.abc import Awaitable, Callable

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.subscription_feed import FEED_CHANNEL, FEED_RETENTION, State, change_item

logger = logging.getLogger(__name__)

#: Tells whether any edge has the channel open.
IsOpen = Callable[[RealmId, ChannelName], Awaitable[bool]]


class SubscriptionLog:
    """One process's. Does nothing for realms that nobody follows."""

    def __init__(self, broker: Broker, directory: RealmDirectory, is_open_anywhere: IsOpen) -> None:
        self._broker = broker
        self._directory = directory
        self._is_open_anywhere = is_open_anywhere

    async def opened(self, realm: RealmId, channel: ChannelName) -> None:
        """Write down that the channel has subscribers, before it is subscribed at the broker."""
        if await self._is_followed(realm, channel):
            await self._write(realm, channel, "subscribed")

    async def closed(self, realm: RealmId, channel: ChannelName) -> None:
        """Write down that the channel has none any more, unless another edge has it.

        One that opens it meanwhile may have written that before this is written: so it is asked for once more.
        """
        if not await self._is_followed(realm, channel) or await self._is_open_anywhere(realm, channel):
            return
        await self._write(realm, channel, "unsubscribed")
        if await self._is_open_anywhere(realm, channel):
            await self._write(realm, channel, "subscribed")

    async def _is_followed(self, realm: RealmId, channel: ChannelName) -> bool:
        if channel == FEED_CHANNEL:
            return False
        try:
            found = self._directory.find_cached(realm) or await self._directory.find_realm(realm)
        except Unavailable:
            return False
        return found is not None and found.has_subscription_feed

    async def _write(self, realm: RealmId, channel: ChannelName, state: State) -> None:
        try:
            await self._broker.publish(realm, [change_item(channel, state)], retention=FEED_RETENTION)
        except Unavailable:
            logger.warning("subscription_not_logged", extra={"realm": realm, "state": state})
