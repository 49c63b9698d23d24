"""Redis that comes back with less than it acknowledged: readers are told, and no offset is used twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.redis_address import parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.streams import StreamPosition
from tests.broker.redis_brokers import HELLO, REALM, Opened, until
from tests.servers.redis import RedisServer

ALWAYS = ["--appendonly", "yes", "--appendfsync", "always"]
EVERY_SECOND = ["--appendonly", "yes", "--appendfsync", "everysec"]
SNAPSHOTS = ["--save", "3600", "1"]


@pytest.fixture
def other_server(tmp_path: Path) -> Iterator[RedisServer]:
    (tmp_path / "other").mkdir()
    server = RedisServer(tmp_path / "other")
    try:
        server.start()
        yield server
    finally:
        server.kill()


async def restart(server: RedisServer, options: list[str] | None = None) -> None:
    """Crash the server, and start it from what it has on disk."""
    server.options = server.options if options is None else options
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def test_a_redis_restarted_from_an_older_snapshot_begins_a_new_epoch(redis_server: RedisServer) -> None:
    await restart(redis_server, SNAPSHOTS)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish(1, 2, 3, 4, 5)
        await opened.command("SAVE")
        await opened.publish("6, lost", "7, lost", "8, lost")
        await restart(redis_server)
        await opened.listener.wait_until(lambda: opened.listener.reconnects == 1)

        result = await opened.publish_until_stored("new")

        assert result.position is not None
        assert result.position.epoch != before.epoch
        await opened.listener.wait_until(lambda: "new" in opened.listener.texts(REALM))
        assert opened.listener.of(REALM)[-1].position == result.position
        for offset in (5, 6, 7, 8):
            assert await opened.is_lost(StreamPosition(before.epoch, offset))


async def test_what_survived_can_be_read_by_those_who_were_away_and_then_they_are_told(
    redis_server: RedisServer,
) -> None:
    await restart(redis_server, SNAPSHOTS)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish(1, 2, 3)
        await opened.command("SAVE")
        await opened.publish("4, lost")
        await restart(redis_server)
        await opened.publish_until_stored("new")

        assert await opened.read(before) == ["1", "2", "3"]
        assert await opened.read(StreamPosition(before.epoch, 2)) == ["3"]
        assert await opened.is_lost(StreamPosition(before.epoch, 3))


async def test_a_redis_that_syncs_always_keeps_the_epoch_and_all_that_it_acknowledged(
    redis_server: RedisServer,
) -> None:
    await restart(redis_server, ALWAYS)
    async with Opened(redis_server.url) as opened, asyncio.TaskGroup() as tasks:
        before = await opened.broker.subscribe(REALM, HELLO)
        acknowledged: list[str] = []

        async def publish(publisher: int) -> None:
            for n in range(30):
                text = f"{publisher}.{n}"
                await opened.publish_until_stored(text)
                acknowledged.append(text)

        publishers = [tasks.create_task(publish(n)) for n in range(3)]
        for count in (10, 30, 50):
            await until(lambda count=count: _is(len(acknowledged) >= count))
            await restart(redis_server)
        await asyncio.wait(publishers)

        stored = await opened.read(before)
        assert sorted(stored) == sorted(acknowledged)
        assert (await opened.position()) == StreamPosition(before.epoch, 90)


async def test_a_redis_that_syncs_every_second_can_not_promise_that(redis_server: RedisServer) -> None:
    await restart(redis_server, EVERY_SECOND)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish(1)
        await restart(redis_server)

        assert (await opened.publish_until_stored("new")).position != StreamPosition(before.epoch, 2)
        assert (await opened.position()).epoch != before.epoch


async def test_syncing_always_from_the_restart_on_does_not_count_for_the_time_before(
    redis_server: RedisServer,
) -> None:
    await restart(redis_server, EVERY_SECOND)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await restart(redis_server, ALWAYS)

        assert (await opened.position()).epoch != before.epoch


async def test_syncing_less_while_it_runs_is_noticed(redis_server: RedisServer) -> None:
    await restart(redis_server, ALWAYS)
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await opened.command("CONFIG", "SET", "appendfsync", "everysec")
        await until(lambda: _has(opened, "HGET", "fo:lineage", "durability", expected=b"0"))
        await restart(redis_server)

        assert (await opened.position()).epoch != before.epoch


async def test_an_item_that_survived_is_not_stored_again_when_its_publisher_repeats_it(
    redis_server: RedisServer,
) -> None:
    await restart(redis_server, SNAPSHOTS)
    async with Opened(redis_server.url) as opened:
        first = await opened.publish_until_stored("kept")
        await opened.command("SAVE")
        lost = await opened.publish_until_stored("lost")
        await restart(redis_server)

        again = await opened.publish_until_stored("kept")
        lost_again = await opened.publish_until_stored("lost")

        assert (again.outcome, again.position) == (Outcome.DUPLICATE, first.position)
        assert lost_again.outcome is Outcome.STORED
        assert str(lost_again.position)[:8] != str(lost.position)[:8]


async def test_a_server_that_was_a_replica_meanwhile_has_another_life(
    redis_server: RedisServer, other_server: RedisServer
) -> None:
    """Nothing cuts our connection here; that it is noticed is the work of the watch."""
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await opened.publish(1, 2, 3)
        connection = opened.broker._commands.connection

        await connection.call("REPLICAOF", "127.0.0.1", other_server.port)
        await until(lambda: _closed(connection))
        async with Opened(other_server.url) as elsewhere:
            await elsewhere.command("SET", "unrelated", 1)
        await redis_server_command(redis_server, "REPLICAOF", "NO", "ONE")

        result = await opened.publish_until_stored("new")
        assert result.position is not None
        assert result.position.epoch != before.epoch


async def test_gaining_a_replica_changes_nothing(redis_server: RedisServer, other_server: RedisServer) -> None:
    async with Opened(redis_server.url) as opened:
        before = await opened.broker.subscribe(REALM, HELLO)
        await redis_server_command(other_server, "REPLICAOF", "127.0.0.1", str(redis_server.port))
        await until(lambda: _has(opened, "WAIT", 1, 1000, expected=1))
        await opened.publish(1)
        async with Opened(redis_server.url) as second:
            assert await second.position() == StreamPosition(before.epoch, 1)


async def test_a_replica_is_no_broker(redis_server: RedisServer, other_server: RedisServer) -> None:
    await redis_server_command(redis_server, "REPLICAOF", "127.0.0.1", str(other_server.port))

    with pytest.raises(Unavailable):
        async with Opened(redis_server.url):
            pass


async def redis_server_command(server: RedisServer, *command: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(server.url))
    await connection.call(*command)
    await connection.close()


async def _is(value: bool) -> bool:
    return value


async def _closed(connection: RedisConnection) -> bool:
    return not connection.is_open


async def _has(opened: Opened, *command: str | int, expected: object) -> bool:
    return await opened.command(*command) == expected
