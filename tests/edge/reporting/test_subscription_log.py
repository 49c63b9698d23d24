"""What is written down of channels that get subscribers and lose them."""

import json

import pytest

from fanoutcloud.broker.base import HistoryWindow
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.subscription_feed import FEED_CHANNEL
from fanoutcloud.edge.reporting.subscription_log import SubscriptionLog
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

REALM, OTHER = RealmId("0a1b2c3d"), RealmId("ffffffff")
NEWS = ChannelName("news")


class World:
    """A log whose other edges are a list of answers."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(SteppedClock())
        self.open_elsewhere: list[bool] = []
        followed = RealmSnapshot(REALM, (), Retention(), has_subscription_feed=True)
        directory = FakeDirectory(followed, RealmSnapshot(OTHER, (), Retention()))
        self.log = SubscriptionLog(self.broker, directory, self._is_open)

    async def _is_open(self, realm: RealmId, channel: ChannelName) -> bool:
        return self.open_elsewhere.pop(0) if self.open_elsewhere else False

    async def written(self, realm: RealmId = REALM) -> list[str]:
        found = await self.broker.read_history(realm, FEED_CHANNEL, HistoryWindow(limit=100))
        return [json.loads(kept.item.json_object or b"{}")["state"] for kept in found.items]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_channel_that_opens_and_closes_is_written_down(world: World) -> None:
    await world.log.opened(REALM, NEWS)
    await world.log.closed(REALM, NEWS)

    assert await world.written() == ["subscribed", "unsubscribed"]


async def test_a_channel_that_another_edge_has_is_not_closed(world: World) -> None:
    await world.log.opened(REALM, NEWS)
    world.open_elsewhere = [True]
    await world.log.closed(REALM, NEWS)

    assert await world.written() == ["subscribed"]


async def test_a_channel_that_is_opened_meanwhile_is_written_last_as_subscribed(world: World) -> None:
    world.open_elsewhere = [False, True]
    await world.log.closed(REALM, NEWS)

    assert await world.written() == ["unsubscribed", "subscribed"]


async def test_nothing_is_written_for_realms_that_nobody_follows_nor_of_the_feed_itself(world: World) -> None:
    await world.log.opened(OTHER, NEWS)
    await world.log.opened(RealmId("unknown"), NEWS)
    await world.log.opened(REALM, FEED_CHANNEL)

    assert await world.written(OTHER) == await world.written() == []
