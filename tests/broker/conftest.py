"""Fixtures of the broker's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.broker.tcp_proxy import TcpProxy, tcp_proxy
from tests.contracts.brokers import RedisWorld


@pytest.fixture
async def redis_world(redis_url: str) -> AsyncIterator[RedisWorld]:
    """A realm of one's own on the shared Redis; brokers opened in it are closed at the end."""
    world = RedisWorld(redis_url)
    try:
        yield world
    finally:
        await world.close()


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[TcpProxy]:
    """A proxy in front of the shared Redis."""
    async with tcp_proxy(redis_url) as proxy:
        yield proxy
