"""Followers of patterns: nothing is missed, nothing is shown to who may not read it, and nothing grows for ever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from fanoutcloud.broker.pattern_board import PREFIXES_TOPIC, PatternBoard
from fanoutcloud.core.access import Grant, Permission
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import Forbidden, Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access.enforcement import hold_against
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.selection.pattern_followers import IDLE_S, PatternFollowers
from tests.edge.worlds import KEEP, PATIENCE_S, REALM, EdgeWorld, RecordingSubscriber, until
from tests.fakes.directory import FakeDirectory

ORDERS = parse_pattern("orders.*")
OTHER = RealmId("ffffffff")


class PatternWorld(EdgeWorld):
    """A hub that followers can have patterns at, and a publisher's board."""

    def __init__(self) -> None:
        super().__init__(EdgeLimits(max_channels=3))
        self.realm = RealmSnapshot(REALM, keys=(), retention=KEEP)
        self.directory = FakeDirectory(self.realm, replace(self.realm, realm=OTHER))
        self.hub.gate = AccessGate(self.clock, self.directory)
        self.followers = self.hub.followers = PatternFollowers(self.hub, self.broker, self._confirm)
        self.board = PatternBoard(self.broker, self.clock)
        self.board.listen()
        self.broker.listen("patterns-coming", self.followers._on_coming)

    async def _confirm(self, realm: RealmId) -> None:
        await asyncio.sleep(0)

    async def follower(self, *patterns: str, realm: RealmId = REALM, grant: Grant | None = None) -> RecordingSubscriber:
        subscriber = RecordingSubscriber(realm=realm)
        if grant is not None:
            subscriber.grant = grant
        self.hub.register(subscriber)
        async with asyncio.timeout(PATIENCE_S):
            for pattern in patterns or ("orders.*",):
                await self.followers.follow(subscriber, parse_pattern(pattern), None)
        return subscriber

    async def send(self, *numbers: int, channel: str = "orders.1", realm: RealmId = REALM) -> None:
        """Publish as `publishing.services` does."""
        for number in numbers:
            item = Item(ChannelName(channel), json_object=str(number).encode())
            if self.board.is_followed(realm):
                await self.board.tell_coming(realm, [item])
            await self.broker.publish(realm, [item], retention=KEEP)

    async def settled(self) -> None:
        """Let what has begun come to its end."""
        for _ in range(50):
            await asyncio.sleep(0)

    def close_orders(self) -> RealmSnapshot:
        rule = ChannelRule(pattern=parse_pattern("orders.secret"), access="token")
        closed = replace(self.realm, rules=make_rules([rule]))
        self.directory.replace(closed)
        return closed


@pytest.fixture
async def world() -> AsyncIterator[PatternWorld]:
    world = PatternWorld()
    async with world.running():
        yield world


def _channels(subscriber: RecordingSubscriber) -> list[str]:
    return [message["channel"] for message in subscriber.messages if message["type"] == "item"]


async def test_channels_are_delivered_from_their_first_item_on(world: PatternWorld):
    follower = await world.follower()

    await world.send(1, 2)
    await world.send(3, channel="orders.2")
    await world.send(4, channel="news")
    await until(lambda: len(follower.numbers) == 3)
    await world.send(5)
    await until(lambda: 5 in follower.numbers)

    assert sorted(follower.numbers) == [1, 2, 3, 5]
    assert follower.messages[0] == {"type": "subscribed", "pattern": "orders.*"}
    assert follower.kinds.count("subscribed") == 3
    assert sorted(set(_channels(follower))) == ["orders.1", "orders.2"]


async def test_who_comes_later_gets_channels_that_were_found_before(world: PatternWorld):
    first = await world.follower()
    await world.send(1)
    await until(lambda: first.numbers == [1])

    second = await world.follower("orders.*", "*")
    await world.send(2)
    await until(lambda: 2 in first.numbers and 2 in second.numbers)

    assert second.numbers == [2]


async def test_a_channel_that_is_subscribed_already_is_not_joined_twice(world: PatternWorld):
    follower = await world.follower("orders.*", "ord*")
    await world.hub.join(follower, [(ChannelName("orders.1"), None)])

    await world.send(1, 2)
    await until(lambda: len(follower.numbers) == 2)
    await world.settled()

    assert follower.numbers == [1, 2]
    world.clock.pass_time(IDLE_S + 30)
    world.followers.let_idle_go()
    assert follower.channels == ["orders.1"]  # it was named, so it stays


async def test_realms_never_meet(world: PatternWorld):
    mine, theirs = await world.follower("*"), await world.follower("*", realm=OTHER)

    await world.send(1)
    await until(lambda: mine.numbers == [1])
    await world.settled()

    assert theirs.kinds == ["subscribed"]


async def test_channels_without_items_are_let_go_and_found_again(world: PatternWorld):
    follower = await world.follower()
    await world.send(1)
    await until(lambda: follower.numbers == [1])

    world.clock.pass_time(IDLE_S - 1)
    await world.followers.renew()
    world.followers.let_idle_go()
    assert follower.channels == ["orders.1"]
    world.clock.pass_time(2)
    world.followers.let_idle_go()
    assert (follower.channels, follower.kinds[-1]) == ([], "unsubscribed")

    await world.followers.renew()
    await world.send(2)
    await until(lambda: follower.numbers == [1, 2])


async def test_a_follower_has_as_many_channels_as_others_and_is_told_once(world: PatternWorld):
    follower = await world.follower()

    for number in range(6):
        await world.send(number, channel=f"orders.{number}")
        await world.settled()

    assert follower.numbers == [0, 1, 2]
    [error] = [message for message in follower.messages if message["type"] == "error"]
    assert (error["pattern"], error["field"]) == ("orders.*", "channel")


async def test_names_of_channels_are_not_shown_to_who_may_not_read_them(world: PatternWorld):
    follower = await world.follower()
    closed = world.close_orders()

    await world.send(1, channel="orders.secret")
    await world.settled()
    assert follower.kinds == ["subscribed"]

    with pytest.raises(Forbidden):
        world.hub.gate.check_pattern(Grant(user="bob"), closed, ORDERS)
    permission = Permission(parse_pattern("orders.*"), frozenset({"subscribe"}))
    alice = Grant(user="alice", permissions=(permission,))
    world.hub.gate.check_pattern(alice, closed, ORDERS)
    allowed = await world.follower(grant=alice)
    await world.send(2, channel="orders.secret")
    await until(lambda: allowed.numbers == [2])
    assert follower.kinds == ["subscribed"]


async def test_a_pattern_that_a_rule_has_closed_is_lost(world: PatternWorld):
    follower = await world.follower()

    await hold_against(world.close_orders(), world.hub.gate, [follower])

    assert follower.is_closed
    assert follower.close_reason is CloseReason.UNAUTHORIZED


async def test_nothing_is_left_of_those_who_have_gone(world: PatternWorld):
    follower, other = await world.follower(), await world.follower("ord*")
    await world.send(1)
    await until(lambda: follower.numbers == other.numbers == [1])

    world.followers.unfollow(follower, ORDERS)
    assert (follower.channels, follower.kinds[-1]) == ([], "unsubscribed")
    world.hub.unregister(follower)
    world.hub.unregister(other)

    assert world.followers._realms == {}


async def test_a_broker_that_does_not_answer_is_said_and_the_pattern_can_be_asked_for_again(world: PatternWorld):
    async def down(realm: RealmId) -> None:
        raise Unavailable("away")

    up, world.followers._confirm = world.followers._confirm, down
    with pytest.raises(Unavailable):
        await world.follower()
    world.followers._confirm = up
    follower = await world.follower()

    await world.send(1)
    await until(lambda: follower.numbers == [1])


async def test_without_patterns_nothing_is_said_and_nothing_is_asked(world: PatternWorld):
    said: list[bytes] = []
    world.broker.listen(PREFIXES_TOPIC, said.append)
    subscriber = RecordingSubscriber()
    await world.join(subscriber, "orders.1")
    world.broker.calls.clear()

    for number in range(100):
        await world.send(number)
    await world.settled()
    await world.followers.renew()
    world.followers.let_idle_go()

    assert (len(subscriber.numbers), said, world.broker.calls) == (100, [], {})
