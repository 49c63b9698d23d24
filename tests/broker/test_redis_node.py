"""Redis that is full, hangs, loads, lacks replicas or is dead: publishers are told, and nothing is half done."""

import asyncio
import time
from collections.abc import Awaitable

import pytest

from fanoutcloud.broker.base import Outcome
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from tests.broker.redis_brokers import HELLO, LIMITS, REALM, Opened, until
from tests.contracts.brokers import KEEP, item
from tests.servers.redis import RedisServer

#: The longest that a publisher waits under `LIMITS`, on a busy machine.
BOUND_S = 4 * LIMITS.answer_s


async def refusal(attempt: Awaitable[object]) -> Unavailable:
    """Return how the attempt was refused, which did not take long."""
    begin = time.monotonic()
    with pytest.raises(Unavailable) as refused:
        await attempt
    assert time.monotonic() - begin < BOUND_S
    assert refused.value.retry_after_s >= 1
    return refused.value


async def test_a_full_redis_refuses_whole_publishes_and_still_lets_read(redis_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened:
        start = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish("before")
        keys = await opened.command("DBSIZE")
        await opened.command("CONFIG", "SET", "maxmemory", "1")
        batch = [item(n, f"c{n % 30}", id=str(n)) for n in range(60)] + [item("x", id="x"), item("y")]

        await refusal(opened.publish("no room"))
        await refusal(opened.broker.publish(REALM, batch, retention=KEEP))
        await refusal(opened.broker.publish(REALM, [item(3, id="3", prev_id="2")], retention=KEEP))

        assert await opened.read(start) == ["before"]
        assert await opened.position() == StreamPosition(start.epoch, 1)
        assert await opened.command("DBSIZE") == keys
        await opened.command("CONFIG", "SET", "maxmemory", "0")
        results = await opened.broker.publish(REALM, batch, retention=KEEP)
        assert {result.outcome for result in results} == {Outcome.STORED}
        assert await opened.read(start) == ["before", "x", "y"]
        await opened.listener.wait_for(3)
        assert opened.listener.texts(REALM) == ["before", "x", "y"]


async def test_a_full_redis_can_be_connected_to(redis_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened:
        await opened.publish("before")
        await opened.command("CONFIG", "SET", "maxmemory", "1")
    async with Opened(redis_server.url) as opened:
        assert (await opened.position()).offset == 1
        await refusal(opened.publish("no room"))


async def test_a_redis_that_hangs_loses_nothing_and_is_caught_up_with(redis_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened, Opened(redis_server.url) as other:
        start = await opened.broker.subscribe(REALM, HELLO)
        await other.publish("before")
        redis_server.pause()
        try:
            refused = await asyncio.gather(*(refusal(opened.publish(f"lost {n}")) for n in range(20)))
            await refusal(opened.broker.subscribe(REALM, ChannelName("other")))
        finally:
            redis_server.resume()

        assert len(refused) == 20
        await other.publish_until_stored("after")
        await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)
        stored = [text for text in await opened.read(start) if not text.startswith("lost")]
        assert stored == ["before", "after"]


async def test_while_redis_loads_its_data_publishes_are_refused(redis_server: RedisServer) -> None:
    await asyncio.to_thread(redis_server.kill)
    redis_server.options = ["--appendonly", "yes", "--appendfsync", "always"]
    await asyncio.to_thread(redis_server.start)
    async with Opened(redis_server.url) as opened:
        start = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish("before")
        batch = [item(n, f"c{n}") for n in range(60)]
        await opened.broker.publish(REALM, batch, retention=KEEP)
        await opened.command("BGREWRITEAOF")  # what is loaded from a compact file, is loaded in small steps
        await until(lambda: _has_rewritten(opened))
        await asyncio.to_thread(redis_server.kill)
        redis_server.options += ["--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"]
        await asyncio.to_thread(redis_server.start, answer=b"-LOADING")

        await refusal(opened.publish("too early"))

        await opened.publish_until_stored("after")
        assert await opened.read(start) == ["before", "after"]


async def test_a_redis_that_is_dead_for_long_costs_no_publisher_more_than_the_bound(
    redis_server: RedisServer,
) -> None:
    async with Opened(redis_server.url) as opened:
        await opened.broker.subscribe(REALM, HELLO)
        await asyncio.to_thread(redis_server.kill)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            await refusal(opened.publish("lost"))
            await asyncio.sleep(0.1)  # the pace of a publisher that tries again
        await asyncio.to_thread(redis_server.start)

        await opened.listener.wait_until(lambda: opened.listener.reconnects == 1)
        await opened.publish_until_stored("after")
        await opened.listener.wait_for(1)

        assert opened.listener.texts(REALM) == ["after"]


async def test_without_the_replicas_that_redis_asks_for_nothing_is_stored(redis_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened:
        start = await opened.broker.subscribe(REALM, HELLO)
        await opened.command("CONFIG", "SET", "min-replicas-to-write", "1")

        await refusal(opened.publish("alone"))

        await opened.command("CONFIG", "SET", "min-replicas-to-write", "0")
        assert await opened.read(start) == []


async def test_an_item_that_too_few_replicas_have_is_not_acknowledged(redis_server: RedisServer) -> None:
    async with Opened(f"{redis_server.url}?replicas=1") as opened:
        refused = await refusal(opened.publish("alone"))

        assert "replicas" in str(refused)


async def test_another_channels_items_are_read_while_one_is_broken(redis_server: RedisServer) -> None:
    """Somebody wrote to our keys: an error inside the script is a refusal like any other."""
    async with Opened(redis_server.url) as opened:
        await opened.command("HSET", f"fo:{{{REALM}/broken}}:head", "not", "ours")

        await refusal(opened.broker.publish(REALM, [item("x", "broken")], retention=KEEP))
        await opened.publish("fine")

        assert (await opened.position()).offset == 1


async def _has_rewritten(opened: Opened) -> bool:
    info = await opened.command("INFO", "persistence")
    assert isinstance(info, bytes)
    return b"aof_rewrite_in_progress:0" in info and b"aof_rewrites:1" in info
