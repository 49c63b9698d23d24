"""What publishers know of followed patterns, what they tell, and what it costs them."""

from dataclasses import dataclass, field

import pytest

from fanoutcloud.broker.pattern_board import (
    COMING_TOPIC,
    LEASE_S,
    PREFIXES_TOPIC,
    TELL_AGAIN_S,
    PatternBoard,
    Prefixed,
    decode_coming,
    encode,
)
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from tests.fakes.clock import SteppedClock
from tests.fakes.gated_broker import GatedBroker

REALM = RealmId("0a1b2c3d")
OTHER = RealmId("ffffffff")


@dataclass
class BoardWorld:
    """A board, and what edges would hear of it."""

    clock: SteppedClock = field(default_factory=SteppedClock)

    def __post_init__(self) -> None:
        self.broker = GatedBroker(self.clock)
        self.board = PatternBoard(self.broker, self.clock)
        self.board.listen()
        self.told: list[str] = []
        self.broker.listen(COMING_TOPIC, self._hear)

    def _hear(self, payload: bytes) -> None:
        coming = decode_coming(payload)
        self.told += [f"{coming.realm}/{channel}:{offset}" for channel, _, offset in coming.channels]

    async def say(self, *prefixes: str, edge: str = "e1", realm: RealmId = REALM, is_all: bool = False) -> None:
        await self.broker.announce(PREFIXES_TOPIC, encode(Prefixed(edge, realm, list(prefixes), is_all)))

    async def coming(self, *channels: str, realm: RealmId = REALM) -> None:
        if self.board.is_followed(realm):
            await self.board.tell_coming(realm, [Item(ChannelName(name), json_object=b"1") for name in channels])


@pytest.fixture
def world() -> BoardWorld:
    return BoardWorld()


async def test_followed_channels_are_told_of_once_with_the_position_before_their_item(world: BoardWorld):
    await world.say("orders.")

    await world.coming("orders.1", "orders.1", "news")
    await world.coming("orders.1", "orders.2")

    assert world.told == [f"{REALM}/orders.1:0", f"{REALM}/orders.2:0"]


async def test_realms_never_meet(world: BoardWorld):
    await world.say("orders.")

    await world.coming("orders.1", realm=OTHER)

    assert (world.told, world.broker.calls["positions"]) == ([], 0)


async def test_a_channel_is_told_of_again_after_a_while(world: BoardWorld):
    await world.say("orders.")
    await world.coming("orders.1")
    await world.say("orders.", is_all=True)
    world.clock.pass_time(LEASE_S - 1)
    await world.say("orders.", is_all=True)
    await world.coming("orders.1")
    assert len(world.told) == 1

    world.clock.pass_time(TELL_AGAIN_S - LEASE_S + 2)
    await world.coming("orders.1")

    assert len(world.told) == 2


async def test_what_somebody_begins_to_follow_is_told_of_again_and_nothing_else(world: BoardWorld):
    await world.say("orders.", "news.")
    await world.coming("orders.1", "news.1")
    world.told.clear()

    await world.say("orders.", edge="e2")
    await world.coming("orders.1", "news.1")

    assert world.told == [f"{REALM}/orders.1:0"]


async def test_who_begins_while_a_channel_is_told_of_has_it_told_again(world: BoardWorld):
    await world.say("orders.")
    plain = world.broker.positions

    async def late(channels: list[tuple[RealmId, ChannelName]]) -> object:
        await world.say("orders.", edge="e2")
        return await plain(channels)

    world.broker.positions = late  # type: ignore[method-assign, assignment]
    await world.coming("orders.1")
    await world.coming("orders.1")

    assert len(world.told) == 2


async def test_edges_that_are_silent_or_follow_no_more_are_forgotten(world: BoardWorld):
    await world.say("orders.")
    await world.say("news.", edge="e2")
    await world.say(is_all=True)
    await world.coming("orders.1")
    assert world.told == []

    world.clock.pass_time(LEASE_S + 1)
    await world.coming("news.1")

    assert world.told == []
    assert not world.board.is_followed(REALM)


async def test_what_nobody_follows_costs_no_call(world: BoardWorld):
    await world.say("orders.")
    for _ in range(100):
        await world.coming("news")

    assert world.broker.calls == {}
