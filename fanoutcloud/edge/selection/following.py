"""What a subscriber that follows patterns carries, and what the hub asks of those who look after it."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.edge.selection.selected import Wish

if TYPE_CHECKING:
    from fanoutcloud.edge.hub.subscriber import Subscriber


class Following:
    """One subscriber's patterns, each with what is wanted of its channels."""

    __slots__ = ("is_full", "patterns", "turn")

    def __init__(self) -> None:
        self.patterns: dict[ChannelPattern, Wish | None] = {}
        #: Held by whoever brings the subscriber to a channel, so that nobody does it twice.
        self.turn = asyncio.Lock()
        #: Whether it has been told that it has as many channels as it may.
        self.is_full = False

    def find(self, channel: ChannelName) -> ChannelPattern | None:
        """Return a pattern that covers the channel."""
        return next((pattern for pattern in self.patterns if pattern.matches(channel)), None)


class Followers(Protocol):
    """Who keeps the followers of patterns: `edge.selection.pattern_followers`."""

    async def follow(self, subscriber: "Subscriber", pattern: ChannelPattern, wish: Wish | None) -> None:
        """Deliver every channel of the pattern to the subscriber from now on."""

    def unfollow(self, subscriber: "Subscriber", pattern: ChannelPattern) -> None:
        """End that; channels that were found by this pattern alone are left."""

    def forget(self, subscriber: "Subscriber") -> None:
        """Know that the subscriber has gone."""

    def left(self, subscriber: "Subscriber", channel: ChannelName) -> None:
        """Know that the subscriber has left a channel."""
