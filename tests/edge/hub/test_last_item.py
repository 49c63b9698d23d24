"""Channels whose rule keeps the last item for newcomers: they get it at once, and nothing twice."""

from collections.abc import AsyncIterator

import pytest

from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access.gate import AccessGate
from tests.core.signed import snapshot
from tests.edge.worlds import HELLO, REALM, EdgeWorld, RecordingSubscriber
from tests.fakes.directory import FakeDirectory

CACHED = make_rules([ChannelRule(pattern=parse_pattern("hello"), cache_last_item=True)])


@pytest.fixture
async def cached() -> AsyncIterator[EdgeWorld]:
    world = EdgeWorld()
    world.hub.gate = AccessGate(world.clock, FakeDirectory(snapshot(rules=CACHED)))
    async with world.running():
        yield world


async def connect(world: EdgeWorld, channel: str = HELLO) -> RecordingSubscriber:
    subscriber = RecordingSubscriber()
    world.hub.register(subscriber)
    await world.join(subscriber, channel)
    return subscriber


async def test_a_newcomer_gets_the_last_item_and_then_what_follows(cached: EdgeWorld) -> None:
    await cached.publish(1, 2, 3)
    subscriber = await connect(cached)

    await cached.publish(4)

    assert subscriber.kinds == ["subscribed", "item", "item"]
    assert subscriber.messages[0]["recovered"] is False
    assert subscriber.numbers == [3, 4]


async def test_an_empty_channel_begins_now(cached: EdgeWorld) -> None:
    subscriber = await connect(cached)
    await cached.publish(1)

    assert subscriber.numbers == [1]
    assert subscriber.kinds == ["subscribed", "item"]


async def test_other_channels_begin_now(cached: EdgeWorld) -> None:
    await cached.publish(1, channel="other")
    subscriber = await connect(cached, "other")

    assert subscriber.kinds == ["subscribed"]


async def test_a_last_item_that_is_kept_no_more_is_no_loss(cached: EdgeWorld) -> None:
    await cached.broker.publish(
        REALM, [Item(ChannelName(HELLO), json_object=b"1")], retention=Retention(items=0, age_s=0)
    )
    subscriber = await connect(cached)
    await cached.publish(2)

    assert subscriber.kinds == ["subscribed", "item"]
    assert subscriber.numbers == [2]


async def test_who_comes_with_a_position_goes_on_there(cached: EdgeWorld) -> None:
    await cached.publish(1)
    since = await cached.top()
    await cached.publish(2, 3)
    subscriber = RecordingSubscriber()
    cached.hub.register(subscriber)
    await cached.join(subscriber, HELLO, since=since)

    assert subscriber.numbers == [2, 3]
    assert subscriber.messages[0]["recovered"] is True
