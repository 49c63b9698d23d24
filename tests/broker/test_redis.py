"""What `RedisBroker` promises beyond the contract: many processes, nothing left behind, one rule book with memory."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_address import parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.broker.redis_names import stream_key
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from tests.contracts.brokers import KEEP, MemoryWorld, RedisWorld, World, item, texts

HELLO = ChannelName("hello")


@pytest.fixture
async def connection(redis_url: str):
    """A connection of the test's own, to look at what is stored."""
    connection = await RedisConnection.open(parse_redis_url(redis_url))
    yield connection
    await connection.close()


async def test_a_publish_to_one_process_reaches_the_subscribers_of_all(redis_world: RedisWorld) -> None:
    (a, at_a), (b, at_b), (c, at_c) = [await redis_world.open() for _ in range(3)]
    for broker in (a, b):
        await broker.subscribe(redis_world.realm, HELLO)

    await c.publish(redis_world.realm, [item("from c")], retention=KEEP)
    await a.publish(redis_world.realm, [item("from a")], retention=KEEP)

    await asyncio.gather(at_a.wait_for(2), at_b.wait_for(2))
    assert at_a.items == at_b.items
    assert at_a.texts(redis_world.realm) == ["from c", "from a"]
    assert at_c.items == []


async def test_processes_share_ids_and_positions(redis_world: RedisWorld) -> None:
    (a, _), (b, _) = [await redis_world.open() for _ in range(2)]
    (first,) = await a.publish(redis_world.realm, [item("a", id="1")], retention=KEEP)

    (second,) = await b.publish(redis_world.realm, [item("a", id="1")], retention=KEEP)

    assert (second.outcome, second.position) == (Outcome.DUPLICATE, first.position)
    assert await b.positions([(redis_world.realm, HELLO)]) == [first.position]


async def test_an_announcement_reaches_every_process(redis_world: RedisWorld) -> None:
    (a, _), (b, _) = [await redis_world.open() for _ in range(2)]
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    b.listen("control", heard.put_nowait)
    await b.announce("control", b"ready")
    assert await asyncio.wait_for(heard.get(), 10) == b"ready"

    await a.announce("control", b"from a")

    assert await asyncio.wait_for(heard.get(), 10) == b"from a"


async def test_a_waiting_item_outlives_the_process_that_took_it(redis_world: RedisWorld) -> None:
    rules = StreamRules(reorder_wait_s=0.3)
    accepting, _ = await redis_world.open(rules)
    other, at_other = await redis_world.open(rules)
    await accepting.publish(redis_world.realm, [item(1, id="1"), item(3, id="3", prev_id="2")], retention=KEEP)
    await accepting.close()

    await other.subscribe(redis_world.realm, HELLO)  # sees that something waits, and sets a timer

    await at_other.wait_for(1)
    assert at_other.texts(redis_world.realm) == ["3"]


async def test_every_key_of_a_channel_expires_by_itself(redis_world: RedisWorld, connection: RedisConnection) -> None:
    broker, _ = await redis_world.open()
    items = [item(1, id="1"), item(3, id="3", prev_id="2"), item("x", "other")]
    await broker.publish(redis_world.realm, items, retention=KEEP)
    await broker.subscribe(redis_world.realm, ChannelName("only read"))

    keys = await connection.call("KEYS", f"fo:{{{redis_world.realm}/*")
    times = [await connection.call("PTTL", key) for key in keys]

    assert len(keys) == 8  # head of three channels, items of two, one waiting, two ids
    assert all(time > 0 for time in times)


async def test_looking_at_a_stream_writes_its_expiry_only_when_that_comes_near(
    redis_world: RedisWorld, connection: RedisConnection
) -> None:
    broker, _ = await redis_world.open()
    start = await broker.subscribe(redis_world.realm, HELLO)
    await broker.publish(redis_world.realm, [item("a")], retention=KEEP)
    head = stream_key(redis_world.realm, HELLO) + ":head"
    as_if_long_ago = """
    local state = {cmsgpack.unpack(redis.call('GET', KEYS[1]))}
    state[#state] = 0
    redis.call('SET', KEYS[1], cmsgpack.pack(unpack(state)), 'PX', 1000)
    """

    async def changes_by_looking() -> int:
        info = [(await connection.call("INFO", "persistence")).decode()]
        await broker.positions([(redis_world.realm, HELLO)])
        await broker.read_since(redis_world.realm, HELLO, start, limit=10)
        info.append((await connection.call("INFO", "persistence")).decode())
        before, after = (int(text.partition("rdb_changes_since_last_save:")[2].split()[0]) for text in info)
        return after - before

    assert await changes_by_looking() == 0
    await connection.call("EVAL", as_if_long_ago, 1, head)
    assert await changes_by_looking() == 1
    assert await connection.call("PTTL", head) > 24 * 3_600_000
    assert await changes_by_looking() == 0


async def test_a_forgotten_realm_leaves_no_key(redis_world: RedisWorld, connection: RedisConnection) -> None:
    broker, _ = await redis_world.open()
    items = [item(n, f"c{n}", id=str(n)) for n in range(400)]
    await broker.publish(redis_world.realm, items, retention=KEEP)

    await broker.forget_realm(redis_world.realm)

    assert await connection.call("KEYS", f"*{redis_world.realm}*") == []


async def test_redis_that_forgets_its_scripts_is_taught_again(
    redis_world: RedisWorld, connection: RedisConnection
) -> None:
    broker, _ = await redis_world.open()

    await connection.call("SCRIPT", "FLUSH")

    results = await broker.publish(redis_world.realm, [item(n, f"c{n}") for n in range(3)], retention=KEEP)
    assert [result.outcome for result in results] == [Outcome.STORED] * 3


@pytest.mark.parametrize("lost", [":head", ":items", ":waiting"])
async def test_a_channel_that_lost_one_of_its_keys_goes_on(
    redis_world: RedisWorld, connection: RedisConnection, lost: str
) -> None:
    broker, listener = await redis_world.open(StreamRules(reorder_wait_s=0.2))
    await broker.subscribe(redis_world.realm, HELLO)
    await broker.publish(redis_world.realm, [item(1, id="1"), item(3, id="3", prev_id="2")], retention=KEEP)

    await connection.call("DEL", stream_key(redis_world.realm, HELLO) + lost)
    await broker.publish(redis_world.realm, [item("after")], retention=KEEP)

    expected = {"1", "after"} if lost == ":waiting" else {"1", "after", "3"}
    await listener.wait_for(len(expected))
    assert set(listener.texts(redis_world.realm)) == expected
    (top,) = await broker.positions([(redis_world.realm, HELLO)])
    assert top == listener.of(redis_world.realm)[-1].position


async def test_what_is_no_item_on_a_live_channel_disturbs_nothing(
    redis_world: RedisWorld, connection: RedisConnection
) -> None:
    broker, listener = await redis_world.open()
    await broker.subscribe(redis_world.realm, HELLO)
    for junk in (b"", b"x", b"abcdefgh:1:", b"abcdefgh:1:\xdd\xff\xff\xff\xff", b"\xff:1:\x90", b":x:\x90"):
        await connection.call("SPUBLISH", stream_key(redis_world.realm, HELLO), junk)

    await broker.publish(redis_world.realm, [item("a")], retention=KEEP)

    await listener.wait_for(1)
    assert listener.texts(redis_world.realm) == ["a"]


async def test_a_large_publish_arrives_whole_although_little_is_kept(redis_world: RedisWorld) -> None:
    broker, listener = await redis_world.open()
    start = await broker.subscribe(redis_world.realm, HELLO)
    big = ["x" * 50_000 + str(n) for n in range(20)]  # more than one live message holds

    await broker.publish(redis_world.realm, [item(text) for text in big], retention=Retention(items=5, age_s=300))

    await listener.wait_for(20)
    assert listener.texts(redis_world.realm) == big
    assert [one.position.offset for one in listener.of(redis_world.realm)] == list(range(1, 21))
    kept = await broker.read_since(redis_world.realm, HELLO, StreamPosition(start.epoch, 15), limit=100)
    assert texts(kept) == big[15:]


async def test_ten_thousand_subscribe_at_once(redis_world: RedisWorld) -> None:
    asyncio.get_running_loop().set_debug(False)  # it would keep a traceback for each of 100,000 callbacks
    broker, listener = await redis_world.open()
    channels = [ChannelName(f"c{n}") for n in range(10_000)]

    await asyncio.gather(*(broker.subscribe(redis_world.realm, channel) for channel in channels))
    for start in range(0, len(channels), 1000):
        batch = [item("a", channel) for channel in channels[start : start + 1000]]
        await broker.publish(redis_world.realm, batch, retention=KEEP)

    await listener.wait_for(len(channels))
    assert {channel for _, channel, _ in listener.items} == set(channels)


IDS = st.none() | st.sampled_from(["1", "2", "3", "44", "55", "66"])
PUBLISHES = st.lists(
    st.lists(
        st.builds(item, st.just("x"), st.sampled_from(["a", "b"]), id=IDS, prev_id=IDS, no_seq=st.booleans()),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(publishes=PUBLISHES, keep=st.integers(0, 6), room=st.integers(1, 3))
def test_both_brokers_make_the_same_of_any_publishes(
    redis_url: str, publishes: list[list[Item]], keep: int, room: int
) -> None:
    """The rules are written twice, in Python and in Lua; this holds the two together."""

    async def run(world: World) -> list[object]:
        broker, listener = await world.open(StreamRules(max_reorder_items=room))
        starts = {name: await broker.subscribe(world.realm, ChannelName(name)) for name in "ab"}
        seen: list[object] = []
        for items in publishes:
            results = await broker.publish(world.realm, items, retention=Retention(items=keep, age_s=300))
            seen += [(result.outcome, result.position and result.position.offset) for result in results]
        tops = await broker.positions([(world.realm, ChannelName(name)) for name in "ab"])
        await listener.wait_for(sum(top.offset for top in tops))
        for name, top in zip("ab", tops, strict=True):
            since = StreamPosition(starts[name].epoch, max(0, top.offset - keep))
            kept = await broker.read_since(world.realm, ChannelName(name), since, limit=100)
            assert kept == listener.of(world.realm, name)[since.offset :]
            seen.append([(one.position.offset, one.item) for one in listener.of(world.realm, name)])
        return seen

    async def compare() -> None:
        worlds: list[World] = [MemoryWorld(), RedisWorld(redis_url)]
        try:
            in_memory, in_redis = [await run(world) for world in worlds]
        finally:
            for world in worlds:
                await world.close()
        assert in_memory == in_redis

    asyncio.run(compare())


def test_a_url_of_another_kind_is_refused_without_repeating_its_password() -> None:
    with pytest.raises(ValueError, match="redis://") as refused:
        RedisBroker("http://user:secret@localhost", SystemClock())

    assert "secret" not in str(refused.value)
