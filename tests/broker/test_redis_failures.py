"""What `RedisBroker` does when Redis or the way to it is slow, gone, or comes back empty."""

import asyncio
import time

import pytest

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_connection import RedisLimits
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName
from tests.broker import redis_brokers
from tests.broker.redis_brokers import HELLO, LIMITS, until_available
from tests.broker.tcp_proxy import TcpProxy
from tests.contracts.brokers import KEEP, PATIENCE_S, RedisWorld, item
from tests.servers.command import free_port
from tests.servers.redis import RedisServer


class Opened(redis_brokers.Opened):
    """One that publishes to the world's realm."""

    async def publish(self, world: RedisWorld, text: str) -> None:
        await self.broker.publish(world.realm, [item(text)], retention=KEEP)

    async def publish_when_it_works_again(self, world: RedisWorld, text: str) -> None:
        await until_available(lambda: self.publish(world, text))


async def test_starting_without_a_redis_fails_soon() -> None:
    broker = RedisBroker(f"redis://127.0.0.1:{free_port()}", SystemClock(), limits=LIMITS)

    with pytest.raises(Unavailable):
        await broker.start()

    await broker.close()


async def test_starting_on_a_redis_that_says_nothing_fails_within_the_limit(proxy: TcpProxy) -> None:
    proxy.stall()
    broker = RedisBroker(proxy.url, SystemClock(), limits=LIMITS)
    begin = time.monotonic()

    with pytest.raises(Unavailable):
        await broker.start()

    assert time.monotonic() - begin < PATIENCE_S
    await broker.close()


async def test_a_wrong_password_is_unavailable_and_not_shown(redis_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened:
        await opened.broker._commands.connection.call("CONFIG", "SET", "requirepass", "right")
    right, wrong, none = (redis_server.url.replace("//", f"//{who}") for who in (":right@", ":wrong-one@", ""))

    async with Opened(right) as opened:
        await opened.publish(RedisWorld(right), "works")
    for url in (wrong, none):
        broker = RedisBroker(url, SystemClock(), limits=LIMITS)
        with pytest.raises(Unavailable) as refused:
            await broker.start()
        assert "wrong-one" not in f"{refused.value!r} {refused.value.line}"


async def test_a_redis_that_stops_answering_makes_publishes_unavailable_in_bounded_time(
    redis_world: RedisWorld, proxy: TcpProxy
) -> None:
    async with Opened(proxy.url) as opened:
        proxy.stall()
        begin = time.monotonic()

        outcomes = await asyncio.gather(
            *(opened.publish(redis_world, str(n)) for n in range(50)), return_exceptions=True
        )

        assert {type(outcome) for outcome in outcomes} == {Unavailable}
        assert time.monotonic() - begin < PATIENCE_S
        with pytest.raises(Unavailable):
            await opened.broker.subscribe(redis_world.realm, HELLO)
        with pytest.raises(Unavailable):
            await opened.broker.positions([(redis_world.realm, HELLO)])

        proxy.flow()
        await opened.publish_when_it_works_again(redis_world, "again")


async def test_a_live_connection_that_died_in_silence_is_noticed_and_replaced(
    redis_world: RedisWorld, proxy: TcpProxy
) -> None:
    async with Opened(proxy.url) as opened:
        await opened.broker.subscribe(redis_world.realm, HELLO)

        proxy.stall()
        other, _ = await redis_world.open()
        await other.publish(redis_world.realm, [item("missed")], retention=KEEP)
        async with asyncio.timeout(PATIENCE_S):
            while opened.broker._live._link._connection.is_open:  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        proxy.flow()

        await opened.listener.wait_until(lambda: opened.listener.reconnects == 1)
        await other.publish(redis_world.realm, [item("live")], retention=KEEP)
        await opened.listener.wait_until(lambda: "live" in opened.listener.texts(redis_world.realm))

        assert opened.listener.reconnects == 1
        assert opened.listener.texts(redis_world.realm) == ["live"], "what was missed is read from history, by the hub"


async def test_after_a_cut_connection_everything_is_subscribed_again(redis_world: RedisWorld, proxy: TcpProxy) -> None:
    async with Opened(proxy.url) as opened:
        channels = [ChannelName(f"c{n}") for n in range(1200)]
        await asyncio.gather(*(opened.broker.subscribe(redis_world.realm, channel) for channel in channels))
        gone = channels.pop()
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        opened.broker.listen("control", heard.put_nowait)

        await proxy.cut()
        await opened.broker.unsubscribe(redis_world.realm, gone)
        await opened.listener.wait_until(lambda: opened.listener.reconnects == 1)

        other, _ = await redis_world.open()
        for start in range(0, 1200, 100):
            names = [*channels, gone][start : start + 100]
            await other.publish(redis_world.realm, [item("a", name) for name in names], retention=KEEP)
        await other.announce("control", b"heard")
        await opened.listener.wait_for(len(channels))
        assert {channel for _, channel, _ in opened.listener.items} == set(channels)
        assert await asyncio.wait_for(heard.get(), PATIENCE_S) == b"heard"


async def test_a_subscribe_that_fails_or_is_cancelled_leaves_nothing_subscribed(
    redis_world: RedisWorld, proxy: TcpProxy
) -> None:
    async with Opened(proxy.url) as opened:
        await opened.broker.subscribe(redis_world.realm, ChannelName("fence"))
        proxy.stall()
        given_up = asyncio.create_task(opened.broker.subscribe(redis_world.realm, HELLO))
        await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(Unavailable):
            await opened.broker.subscribe(redis_world.realm, ChannelName("failed"))
        assert given_up.cancelled()
        proxy.flow()
        await opened.listener.wait_until(lambda: opened.listener.reconnects >= 1)

        other, _ = await redis_world.open()
        items = [item("a", name) for name in ("hello", "failed", "fence")]
        await other.publish(redis_world.realm, items, retention=KEEP)

        await opened.listener.wait_until(lambda: bool(opened.listener.of(redis_world.realm, "fence")))
        assert {channel for _, channel, _ in opened.listener.items} == {"fence"}


async def test_more_calls_than_may_wait_are_refused_and_the_rest_served(
    redis_world: RedisWorld, proxy: TcpProxy
) -> None:
    async with Opened(proxy.url, RedisLimits(max_pending=10)) as opened:
        outcomes = await asyncio.gather(
            *(opened.publish(redis_world, str(n)) for n in range(15)), return_exceptions=True
        )

        assert [type(outcome) for outcome in outcomes] == [type(None)] * 10 + [Unavailable] * 5
        await opened.publish(redis_world, "room again")


async def test_a_redis_that_was_killed_comes_back_empty_under_a_new_epoch(redis_server: RedisServer) -> None:
    world = RedisWorld(redis_server.url)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(world.realm, HELLO)
        await opened.publish(world, "before")
        await opened.listener.wait_for(1)

        await asyncio.to_thread(redis_server.kill)
        with pytest.raises(Unavailable) as refused:
            await opened.publish(world, "lost")
        assert refused.value.retry_after_s >= 1
        await asyncio.to_thread(redis_server.start)
        await opened.listener.wait_until(lambda: opened.listener.reconnects == 1)
        await opened.publish_when_it_works_again(world, "after")

        await opened.listener.wait_for(2)
        stored = opened.listener.of(world.realm)[1]
        assert stored.position.epoch != before.epoch
        assert opened.listener.texts(world.realm) == ["before", "after"]


async def test_a_redis_that_may_not_write_makes_publishes_unavailable(redis_server: RedisServer) -> None:
    world = RedisWorld(redis_server.url)
    async with Opened(redis_server.url) as opened:
        await opened.publish(world, "before")

        await opened.broker._commands.connection.call("CONFIG", "SET", "maxmemory", "1mb")
        with pytest.raises(Unavailable, match="OOM"):
            await opened.publish(world, "no room")

        await opened.broker._commands.connection.call("CONFIG", "SET", "maxmemory", "0")
        await opened.publish(world, "after")
        ((position),) = await opened.broker.positions([(world.realm, HELLO)])
        assert position.offset == 2
