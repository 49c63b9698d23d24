"""The short way through Redis that most publishes take: who takes it, and that streams are the same from either way."""

from collections.abc import AsyncIterator

import pytest

from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.redis_address import parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.broker.redis_names import stream_key
from fanoutcloud.broker.redis_scripts import head_key
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from tests.contracts.brokers import KEEP, RedisWorld, item, texts

HELLO = ChannelName("hello")
#: Writes a head as versions did that had no short way: every number as short as it can be.
AS_BEFORE = """
local state = cmsgpack.pack(cmsgpack.unpack(redis.call('GET', KEYS[1])))
redis.call('SET', KEYS[1], state, 'KEEPTTL')
"""
FIELDS_OF_HEAD = "return {cmsgpack.unpack(redis.call('GET', KEYS[1]))}"


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[RedisConnection]:
    """A connection of the test's own, to look at what is stored."""
    connection = await RedisConnection.open(parse_redis_url(redis_url))
    yield connection
    await connection.close()


async def publish(world: RedisWorld, *items: Item, keep: Retention = KEEP) -> list[StreamPosition | None]:
    """Publish one after the other; return where they went."""
    broker = world.opened[0]
    return [(await broker.publish(world.realm, [one], retention=keep))[0].position for one in items]


async def calls_of(connection: RedisConnection, command: str) -> int:
    """Return how often Redis has run the command."""
    info = (await connection.call("INFO", "commandstats")).decode()
    line = next((line for line in info.splitlines() if line.startswith(f"cmdstat_{command}:")), "")
    return int(line.partition("calls=")[2].partition(",")[0] or 0)


@pytest.mark.parametrize(
    ("items", "in_place"),
    [
        ([item(n) for n in range(4)], 3),
        ([item(n, id=str(n)) for n in range(4)], 3),
        ([item(1, id="1"), item(2), item(3, id="3"), item(4, id="four")], 0),
        ([item(n, id=str(n), prev_id=str(n - 1)) for n in range(4)], 0),
    ],
    ids=["no ids", "ids as long as the last", "other ids", "prev-ids"],
)
async def test_a_head_is_changed_in_its_place_where_it_stays_as_long(
    redis_world: RedisWorld, connection: RedisConnection, items: list[Item], in_place: int
) -> None:
    await redis_world.open()
    before = await calls_of(connection, "setrange")

    positions = await publish(redis_world, *items)

    assert await calls_of(connection, "setrange") - before == in_place
    assert [position and position.offset for position in positions] == [1, 2, 3, 4]


async def test_what_one_way_wrote_is_read_by_the_other(redis_world: RedisWorld, connection: RedisConnection) -> None:
    """A process of a version before may publish beside one of this, as when edges are replaced one by one."""
    broker, listener = await redis_world.open()
    start = await broker.subscribe(redis_world.realm, HELLO)
    head = head_key(stream_key(redis_world.realm, HELLO))

    for n in range(4):
        await publish(redis_world, item(n, id=f"{n}"), item(f"{n}, too", id=f"{n}+"), item("no id"), item("no id"))
        fields = await connection.call("EVAL", FIELDS_OF_HEAD, 1, head)
        assert (len(fields), *fields[2:4]) == (13, 4 * n + 4, b"")
        await connection.call("EVAL", AS_BEFORE, 1, head)

    await listener.wait_for(16)
    assert [one.position.offset for one in listener.of(redis_world.realm)] == list(range(1, 17))
    assert await broker.read_since(redis_world.realm, HELLO, start, limit=100) == listener.of(redis_world.realm)


async def test_an_id_is_remembered_by_both_ways(redis_world: RedisWorld) -> None:
    broker, _ = await redis_world.open()
    ids = ["a", "b", "longer", "c", "d"]
    positions = await publish(redis_world, *(item(id_, id=id_) for id_ in ids))

    again = [await broker.publish(redis_world.realm, [item("again", id=id_)], retention=KEEP) for id_ in ids]
    (follower,) = await publish(redis_world, item("e", id="e", prev_id="d"))

    assert [(result.outcome, result.position) for (result,) in again] == [
        (Outcome.DUPLICATE, position) for position in positions
    ]
    assert follower is not None
    assert follower.offset == len(ids) + 1


async def test_another_retention_holds_from_the_next_item_on(redis_world: RedisWorld) -> None:
    broker, _ = await redis_world.open()
    start = await broker.subscribe(redis_world.realm, HELLO)
    await publish(redis_world, item(1), item(2), item(3))

    await publish(redis_world, item(4), item(5), keep=Retention(items=2, age_s=300))

    since = StreamPosition(start.epoch, 3)
    assert texts(await broker.read_since(redis_world.realm, HELLO, since, limit=10)) == ["4", "5"]


async def test_no_more_is_kept_than_the_retention_says_and_a_sixteenth_item(
    redis_world: RedisWorld, connection: RedisConnection
) -> None:
    await redis_world.open()

    await publish(redis_world, *(item(n) for n in range(130)))

    kept = await connection.call("XLEN", stream_key(redis_world.realm, HELLO) + ":items")
    assert KEEP.items <= kept < KEEP.items + 16


async def test_items_that_are_gone_before_their_time_expire_when_they_come_again(
    redis_world: RedisWorld, connection: RedisConnection
) -> None:
    await redis_world.open()
    await publish(redis_world, item(1), item(2))
    items = stream_key(redis_world.realm, HELLO) + ":items"
    await connection.call("DEL", items)

    await publish(redis_world, item(3))

    assert 0 < await connection.call("PTTL", items) <= 1000 * KEEP.age_s * 17 / 16


async def test_channels_of_one_publish_take_their_own_ways(redis_world: RedisWorld) -> None:
    broker, _ = await redis_world.open()
    await broker.publish(redis_world.realm, [item(n, f"c{n}", id="x") for n in range(0, 120, 3)], retention=KEEP)
    batch = [item(n, f"c{n}", id="x" if n % 2 else "y") for n in range(120)]

    results = await broker.publish(redis_world.realm, batch, retention=KEEP)

    expected = [
        (Outcome.STORED, 1) if n % 3 else (Outcome.DUPLICATE, 1) if n % 2 else (Outcome.STORED, 2) for n in range(120)
    ]
    assert [(result.outcome, result.position and result.position.offset) for result in results] == expected
