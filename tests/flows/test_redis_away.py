"""Edges while Redis is away: when they begin, and for a while in the middle of their work."""

import asyncio
import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.flows.sockets import BareSocket, bare_socket, get
from tests.servers.command import free_port
from tests.servers.edges import START_TIMEOUT_S, Installation, end
from tests.servers.product import ProductRealm
from tests.servers.redis import RedisServer

#: Longer than any wait of ours for an answer of Redis, and than the pauses between attempts to connect.
AWAY_S = 12.0
DURABLE = ["--appendonly", "yes", "--appendfsync", "always"]
PATIENCE_S = 30.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that keeps what it acknowledged, not started yet."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, port=free_port(), options=DURABLE)
    yield server
    server.kill()


def publish(port: int, realm: ProductRealm, text: str) -> tuple[int, str | None]:
    """Publish one item; return status and `Retry-After`."""
    credential = base64.b64encode(f"{realm.realm}:{realm.key}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/realm/{realm.realm}/publish/",
        data=json.dumps({"items": [{"channel": "news", "id": text, "json-object": text}]}).encode(),
        headers={"Authorization": f"Basic {credential}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, None
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers.get("Retry-After")


async def subscribe(client: BareSocket, realm: ProductRealm) -> None:
    await client.send(get(f"/r/{realm.realm}/fanout/sse?" + urlencode({"channel": "news"})))
    await client.read_until(b"subscribed")


def test_an_edge_that_begins_while_redis_is_away_waits_for_it_and_says_so(redis: RedisServer, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", redis.url)
    with installation.starting_edge() as edge:
        edge.wait_for_text("broker_not_there_yet", timeout_s=START_TIMEOUT_S)

        redis.start()
        edge.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)

        assert publish(installation.port, installation.realm, "hello") == (200, None)
        assert end(edge) == 0
    assert "Traceback" not in edge.output


def test_an_edge_whose_redis_does_not_come_ends_with_a_fault_and_the_reason(redis: RedisServer, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data", redis.url, BROKER_START_S="0.5")
    with installation.starting_edge() as edge:
        status = edge.wait_for_end(timeout_s=START_TIMEOUT_S)

    assert status != 0
    assert "the broker can't be reached" in edge.output


@pytest.mark.slow
async def test_a_time_without_redis_costs_no_subscriber_and_no_item(redis: RedisServer, tmp_path: Path) -> None:
    await asyncio.to_thread(redis.start)
    installation = await asyncio.to_thread(Installation, tmp_path / "data", redis.url)
    realm, port = installation.realm, installation.port
    with installation.starting_edge() as edge:
        await asyncio.to_thread(edge.wait_for_line, "ready: ", timeout_s=START_TIMEOUT_S)
        async with bare_socket(port) as client:
            await subscribe(client, realm)
            assert await asyncio.to_thread(publish, port, realm, "before") == (200, None)
            await client.read_until(b'"before"')

            redis.kill()
            loop = asyncio.get_running_loop()
            back_at, refusals = loop.time() + AWAY_S, set()
            while loop.time() < back_at:
                status, retry_after = await asyncio.to_thread(publish, port, realm, "during")
                refusals.add(status)
                assert retry_after is not None
                assert int(retry_after) >= 1
                await asyncio.sleep(1.0)  # as `Retry-After` says
            assert refusals == {503}

            await asyncio.to_thread(redis.start)
            async with asyncio.timeout(PATIENCE_S):
                while (await asyncio.to_thread(publish, port, realm, "after"))[0] != 200:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)
            got = await client.read_until(b'"after"')

        assert b"reset" not in got
        assert b'"during"' not in got
        assert await asyncio.to_thread(end, edge) == 0
    assert "Traceback" not in edge.output
