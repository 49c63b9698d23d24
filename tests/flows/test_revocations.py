"""Revocations and rules on open connections of several edges, with Redis between them."""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.servers.edges import Installation

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0
_SET_UP = """
import os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
import django
django.setup()
from realms import services
from realms.models import Realm
from realms.rule_settings import RuleSettings
realm = Realm.objects.get(pk=sys.argv[1])
"""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Installation]:
    """Two edges on one port."""
    installation = Installation(tmp_path_factory.mktemp("edges"), redis_url)
    with installation.edge(), installation.edge():
        yield installation


def do(installation: Installation, code: str) -> str:
    """Change the realm in a process of its own, as a worker or another server does; return what it prints."""
    return subprocess.run(
        [sys.executable, "-c", _SET_UP + code, installation.realm.realm],
        cwd=ROOT,
        env=installation.environment,
        check=True,
        timeout=60,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def token(installation: Installation, user: str, *, key: str = "", **claims: Any) -> str:
    secret, now = base64.b64decode(key or installation.realm.key), int(time.time())
    return jwt.encode({"sub": user, "iat": now, "exp": now + 600, **claims}, secret, algorithm="HS256")


class Crowd:
    """WebSockets of several people, on whichever edge they came to."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Crowd":
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    async def come(self, count: int, channel: str, token: str = "") -> list[ClientConnection]:
        """Open connections that have subscribed to the channel."""
        query = f"channel={channel}" + (f"&token={token}" if token else "")
        url = f"ws://127.0.0.1:{self._installation.port}/r/{self._installation.realm.realm}/fanout/ws?{query}"
        sockets = [await self._stack.enter_async_context(connect(url, close_timeout=1)) for _ in range(count)]
        for socket in sockets:
            await until(socket, "subscribed")
        return sockets


async def until(socket: ClientConnection, kind: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] == kind:
                return message


async def end_of(socket: ClientConnection) -> tuple[int, str]:
    """Wait for the close; return its code and reason."""
    async with asyncio.timeout(PATIENCE_S):
        await socket.wait_closed()
    return socket.close_code or 0, socket.close_reason or ""


async def still_there(sockets: list[ClientConnection]) -> bool:
    for socket in sockets:
        await socket.send('{"type":"ping"}')
        await until(socket, "pong")
    return True


async def test_a_revoked_user_is_gone_from_every_edge_and_nobody_else(installation: Installation) -> None:
    alices_token = token(installation, "alice")
    async with Crowd(installation) as crowd:
        alices = await crowd.come(24, "hello", alices_token)
        others = await crowd.come(4, "hello", token(installation, "bob")) + await crowd.come(4, "hello")
        await asyncio.to_thread(do, installation, "services.revoke_user(realm=realm, user='alice')")

        ends = await asyncio.gather(*map(end_of, alices))

        assert set(ends) == {(3401, "token_revoked")}
        assert await still_there(others)
        refused = await end_of(await _open(installation, f"channel=hello&token={alices_token}"))
        assert refused == (3401, "unauthorized")
        later = token(installation, "alice", iat=int(time.time()) + 1)  # one of the same second would not hold
        assert await crowd.come(1, "hello", later)


async def test_a_revoked_token_ends_its_own_connections(installation: Installation) -> None:
    async with Crowd(installation) as crowd:
        one = await crowd.come(8, "hello", token(installation, "carol", jti="c1"))
        other = await crowd.come(4, "hello", token(installation, "carol", jti="c2"))
        await asyncio.to_thread(do, installation, "services.revoke_token(realm=realm, token_id='c1')")

        assert set(await asyncio.gather(*map(end_of, one))) == {(3401, "token_revoked")}
        assert await still_there(other)


async def test_a_channel_that_becomes_private_is_lost_on_every_edge(installation: Installation) -> None:
    allowed = token(installation, "dave", channels={"board": ["subscribe"]})
    async with Crowd(installation) as crowd:
        strangers = await crowd.come(8, "board")
        members = await crowd.come(8, "board", allowed)
        code = "services.add_rule(realm=realm, pattern='board', settings=RuleSettings(access='token'))"
        await asyncio.to_thread(do, installation, code)

        for socket in strangers:
            error = await until(socket, "error")
            assert (error["code"], error["channel"]) == ("no_token", "board")
            await until(socket, "unsubscribed")
        assert await still_there(strangers + members)


async def test_a_revoked_key_ends_what_came_by_it(installation: Installation) -> None:
    key_id, key = do(
        installation,
        "issued = services.issue_api_key(realm=realm, issued_by=None); print(issued.key.pk, issued.secret)",
    ).split()
    async with Crowd(installation) as crowd:
        by_key = await crowd.come(8, "hello", token(installation, "erin", key=key))
        others = await crowd.come(4, "hello") + await crowd.come(4, "hello", token(installation, "erin"))
        await asyncio.to_thread(do, installation, f"services.revoke_api_key(realm=realm, key_id={key_id})")

        assert set(await asyncio.gather(*map(end_of, by_key))) == {(3401, "token_revoked")}
        assert await still_there(others)


async def _open(installation: Installation, query: str) -> ClientConnection:
    url = f"ws://127.0.0.1:{installation.port}/r/{installation.realm.realm}/fanout/ws?{query}"
    return await connect(url, close_timeout=1)
