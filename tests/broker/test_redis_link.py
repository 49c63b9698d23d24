"""A connection that comes back by itself."""

import asyncio

from fanoutcloud.broker.redis_address import RedisAddress, parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection, RedisLimits
from fanoutcloud.broker.redis_link import MAX_RETRY_S, RedisLink, retry_delay_s
from fanoutcloud.core.errors import Unavailable
from tests.broker.tcp_proxy import TcpProxy


def test_retries_come_later_and_later_up_to_a_limit() -> None:
    assert all(0.025 <= retry_delay_s(0) <= 0.05 for _ in range(100))
    assert all(MAX_RETRY_S / 2 <= retry_delay_s(10_000) <= MAX_RETRY_S for _ in range(100))


async def test_each_new_connection_is_prepared_and_a_failed_one_is_tried_again(proxy: TcpProxy) -> None:
    prepared: asyncio.Queue[RedisConnection] = asyncio.Queue()
    refusals = iter([None, Unavailable("not yet"), ValueError("a fault"), None])

    async def prepare(connection: RedisConnection) -> None:
        if (refusal := next(refusals)) is not None:
            raise refusal
        prepared.put_nowait(connection)

    async def locate() -> RedisAddress:
        return parse_redis_url(proxy.url)

    link = RedisLink("test", locate, limits=RedisLimits(), on_up=prepare)
    await link.start()
    first = prepared.get_nowait()
    assert link.connection is first

    await proxy.cut()

    second = await asyncio.wait_for(prepared.get(), 10)
    assert second is not first
    assert link.connection is second
    assert proxy.connections == 4
    await link.close()
    assert not second.is_open
