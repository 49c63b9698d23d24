"""Fixtures of the contract suites."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.contracts.brokers import MemoryWorld, RedisWorld, Runner, World
from tests.contracts.sites import channel, http, plain_realm, prepared_realm, reader, site
from tests.contracts.xmpp import ejabberd_door, embedded_door, prosody_door, xmpp_site
from tests.servers.cluster import RedisCluster, redis_cluster
from tests.servers.node import node_packages

__all__ = [
    "channel",
    "ejabberd_door",
    "embedded_door",
    "http",
    "node_packages",
    "plain_realm",
    "prepared_realm",
    "prosody_door",
    "reader",
    "redis_cluster",
    "site",
    "xmpp_site",
]


@pytest.fixture(params=["memory", "redis", "valkey", pytest.param("cluster", marks=pytest.mark.slow)])
def make_world(request: pytest.FixtureRequest) -> Callable[[], World]:
    """Each kind of broker in turn, that of Redis also on a Valkey.

    Every world has a realm of its own, so that tests may share one server.
    """
    if request.param == "memory":
        return MemoryWorld
    if request.param == "cluster":
        cluster: RedisCluster = request.getfixturevalue("redis_cluster")
        return lambda: RedisWorld(cluster.url, f"redis://127.0.0.1:{cluster.servers[0].port}")
    url = request.getfixturevalue(f"{request.param}_url")
    return lambda: RedisWorld(url)


@pytest.fixture
async def world(make_world: Callable[[], World]) -> AsyncIterator[World]:
    """A world of one kind of broker, closed at the end."""
    world = make_world()
    try:
        yield world
    finally:
        await world.close()


@pytest.fixture
def run_in_world(make_world: Callable[[], World]) -> Runner:
    """Return what runs a coroutine function in a new world each time it is called."""

    async def run(test: Callable[[World], Awaitable[None]]) -> None:
        world = make_world()
        try:
            await test(world)
        finally:
            await world.close()

    return lambda test: asyncio.run(run(test))
