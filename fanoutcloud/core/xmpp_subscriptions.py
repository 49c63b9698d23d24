"""What is kept of subscriptions of XMPP sessions, so that the gateway's end is not theirs."""

from typing import Protocol

import msgspec

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition


class SubscriptionName(msgspec.Struct, frozen=True, array_like=True):
    """Whose subscription to what. `jid` is where items go: a full address, or an admin's bare one."""

    jid: str
    realm: RealmId
    channel: ChannelName


class KeptSubscription(msgspec.Struct, frozen=True, array_like=True):
    """`asked_as` is the address as it was written, `position` what has surely arrived, `token` what opened it."""

    name: SubscriptionName
    asked_as: str
    position: StreamPosition
    token: str = ""


class SubscriptionStore(Protocol):
    """Keeps the subscriptions of one gateway. All raise `Unavailable` where what keeps them does not answer."""

    async def load(self) -> list[KeptSubscription]:
        """Return all that is kept."""

    async def save(self, changed: list[KeptSubscription], ended: list[SubscriptionName]) -> None:
        """Keep what has changed, and forget what has ended, in one step."""


class MemorySubscriptionStore:
    """Of one process, for installations whose streams do not outlive it either."""

    def __init__(self) -> None:
        self._kept: dict[SubscriptionName, KeptSubscription] = {}

    async def load(self) -> list[KeptSubscription]:
        return list(self._kept.values())

    async def save(self, changed: list[KeptSubscription], ended: list[SubscriptionName]) -> None:
        self._kept |= {one.name: one for one in changed}
        for name in ended:
            self._kept.pop(name, None)
