"""Tokens on every transport: what holds says who it is for; what does not is refused with cause and cure."""

import asyncio
import base64
import json
import time
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.contracts.transports import (
    PATIENCE_S,
    PollReader,
    Reader,
    SiteUnderTest,
    SseReader,
    StreamReader,
    WebSocketReader,
)

HTTP_READERS = [SseReader, StreamReader, PollReader]


def make_token(site: SiteUnderTest, *, secret: bytes | None = None, **claims: Any) -> str:
    """Return a token of the realm's key that holds for ten minutes."""
    key = base64.b64decode(site.realm.key) if secret is None else secret
    return jwt.encode({"exp": int(time.time()) + 600, "sub": "alice", **claims}, key, algorithm="HS256")


async def refusal_on_websocket(site: SiteUnderTest, query: str) -> tuple[dict[str, Any], int | None]:
    """Open a WebSocket that is refused; return the error and the close code."""
    url = f"ws://127.0.0.1:{site.port}{site.path}/fanout/ws?{query}"
    async with asyncio.timeout(PATIENCE_S), connect(url) as socket:
        error: dict[str, Any] = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    return error, closed.value.rcvd.code if closed.value.rcvd else None


async def test_a_token_in_the_query_says_who_it_is(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    async with reader(site, channel, query=f"token={make_token(site)}") as subscriber:
        await subscriber.ready()
        await site.publish(channel, 1)
        [item] = await subscriber.items(1)

    assert item["data"] == 1
    for welcome in subscriber.told("welcome"):
        assert welcome["user"] == "alice"
        assert 590 <= welcome["expires_in_s"] <= 600


async def test_without_a_token_nothing_is_said_of_one(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketReader(site, channel) as subscriber:
        await subscriber.ready()

    assert set(subscriber.told("welcome")[0]) == {"type", "realm", "connection", "keep_alive_s"}


@pytest.mark.parametrize("kind", HTTP_READERS, ids=lambda kind: kind.path)
async def test_a_token_in_the_header_counts_before_one_in_the_query(
    site: SiteUnderTest, kind: type[Reader], channel: str
) -> None:
    answer = await site.get(
        f"{kind.path}?channel={channel}&token={make_token(site)}", headers={"Authorization": "Bearer x"}
    )

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert (error["code"], error["field"]) == ("bad_token", "token")
    assert error["cure"]


_BAD_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": 1}, "token_expired"),
    "early": ({"nbf": int(time.time()) + 3600}, "token_not_yet_valid"),
    "another realm's": ({"iss": "ffffffff"}, "wrong_realm"),
    "another key's": ({"secret": b"x" * 32}, "wrong_key"),
    "wrong claim": ({"channels": {"a": ["fly"]}}, "bad_token"),
}


@pytest.mark.parametrize(("claims", "code"), list(_BAD_TOKENS.values()), ids=list(_BAD_TOKENS))
async def test_a_token_that_does_not_hold_is_refused(
    site: SiteUnderTest, channel: str, claims: dict[str, Any], code: str
) -> None:
    query = f"channel={channel}&token={make_token(site, **claims)}"
    for kind in HTTP_READERS:
        answer = await site.get(f"{kind.path}?{query}")
        assert answer.status_code == 401, kind
        assert answer.json()["error"]["code"] == code

    error, close_code = await refusal_on_websocket(site, query)
    assert (error["type"], error["code"], close_code) == ("error", code, 3401)
    assert error["cure"]


async def test_a_websocket_is_authorized_and_refreshed_while_open(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketReader(site, channel) as subscriber:
        await subscriber.ready()
        await subscriber.send(type="auth", token=make_token(site))
        first = await subscriber.next()
        await subscriber.send(type="auth", token=make_token(site, exp=int(time.time()) + 1200))
        second = await subscriber.next()
        await subscriber.send(type="auth", token=make_token(site, sub="bob"))
        other_user = await subscriber.next()
        await subscriber.send(type="auth", token=make_token(site, secret=b"x" * 32))
        bad = await subscriber.next()
        await subscriber.send(type="auth")
        nothing = await subscriber.next()
        await site.publish(channel, 1)
        [item] = await subscriber.items(1)

    assert (first["type"], first["user"]) == ("authorized", "alice")
    assert second["expires_in_s"] > 1100
    assert [error["field"] for error in (other_user, bad, nothing)] == ["token.sub", "token.signature", "token"]
    assert item["data"] == 1
