"""One connection to Redis: addresses, pipelining, errors."""

import asyncio

import pytest

from fanoutcloud.broker.redis_address import parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection, RedisLimits, ScriptMissing
from fanoutcloud.core.errors import Unavailable
from tests.broker.tcp_proxy import TcpProxy


@pytest.mark.parametrize(
    ("url", "host", "port", "database", "tls"),
    [
        ("redis://localhost", "localhost", 6379, 0, False),
        ("redis://10.0.0.1:7000/3", "10.0.0.1", 7000, 3, False),
        ("rediss://redis.example:6380/", "redis.example", 6380, 0, True),
        ("redis://[::1]:6379/0?db=2", "::1", 6379, 2, False),
    ],
)
def test_urls_say_where_redis_is(url: str, host: str, port: int, database: int, tls: bool) -> None:
    address = parse_redis_url(url)

    assert (address.host, address.port, address.database, address.tls) == (host, port, database, tls)
    assert (address.username, address.password) == ("default", None)


def test_urls_carry_escaped_credentials_that_are_not_shown() -> None:
    address = parse_redis_url("redis://ann:p%40ss%2Fw@localhost")

    assert (address.username, address.password) == ("ann", "p@ss/w")
    assert "p@ss" not in repr(address)


def test_unix_urls_name_a_socket() -> None:
    address = parse_redis_url("unix:///run/redis.sock?db=1")

    assert (address.path, address.database) == ("/run/redis.sock", 1)


async def test_commands_of_one_turn_leave_together_and_are_answered_in_order(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url))

    replies = await asyncio.gather(*(connection.call("ECHO", n) for n in range(500)))

    assert replies == [str(n).encode() for n in range(500)]
    await connection.close()


async def test_a_refused_command_is_its_own_failure_only(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url))

    outcomes = await asyncio.gather(
        connection.call("ECHO", "a"),
        connection.call("NO-SUCH-COMMAND"),
        connection.call("EVALSHA", "0" * 40, 0),
        connection.call("ECHO", "b"),
        return_exceptions=True,
    )

    assert (outcomes[0], outcomes[3]) == (b"a", b"b")
    assert isinstance(outcomes[1], Unavailable)
    assert isinstance(outcomes[2], ScriptMissing)
    await connection.close()


async def test_a_cancelled_call_does_not_shift_the_answers_of_others(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url))

    given_up, kept = connection.call("ECHO", "a"), connection.call("ECHO", "b")
    given_up.cancel()

    assert await kept == b"b"
    await connection.close()


async def test_closing_fails_what_is_not_answered_and_what_comes_after(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url))
    waiting = connection.call("ECHO", "a")

    await connection.close()
    await connection.close()

    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        connection.call("ECHO", "b")


async def test_too_many_bytes_without_an_answer_are_refused_whole(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url), limits=RedisLimits(max_pending_bytes=1000))

    with pytest.raises(Unavailable):
        connection.call_all([["ECHO", "x" * 600], ["ECHO", "y" * 600]])

    assert await connection.call("ECHO", "x" * 600) == b"x" * 600
    assert await connection.call("ECHO", "y" * 600) == b"y" * 600
    await connection.close()


async def test_a_loop_that_was_held_up_does_not_blame_redis(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url), limits=RedisLimits(answer_s=0.1, ping_s=0.1))
    loop = asyncio.get_running_loop()

    reply = connection.call("ECHO", "a")
    held_until = loop.time() + 0.5
    while loop.time() < held_until:
        pass

    assert await reply == b"a"
    await connection.close()


async def test_a_peer_that_speaks_another_protocol_is_unavailable() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await reader.read(100)
        writer.transport.abort()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(Unavailable):
        await RedisConnection.open(parse_redis_url(f"redis://127.0.0.1:{port}"))

    server.close()
    await server.wait_closed()


async def test_an_idle_connection_that_died_in_silence_ends(proxy: TcpProxy) -> None:
    connection = await RedisConnection.open(parse_redis_url(proxy.url), limits=RedisLimits(answer_s=0.2, ping_s=0.1))

    proxy.stall()

    async with asyncio.timeout(10):
        await connection.wait_closed()

    assert not connection.is_open


async def test_a_fence_gets_the_error_of_a_command_that_has_only_pushes_as_answers(redis_url: str) -> None:
    connection = await RedisConnection.open(parse_redis_url(redis_url))

    connection.send("SSUBSCRIBE")  # without a name
    fence = connection.fence()
    after = connection.fence()

    with pytest.raises(Unavailable, match="refused"):
        await fence
    assert await after == b"PONG"
    assert await connection.call("ECHO", "in step") == b"in step"
    await connection.close()
