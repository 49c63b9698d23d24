"""Publishes over real connections: answered without ASGI exactly as with it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fanoutcloud.core.directory import Rate
from publishing.endpoint import find_target
from tests.fakes.garbage import watched_garbage
from tests.flows.sockets import BareSocket, bare_socket
from tests.publishing.asgi import MAX_BODY_BYTES, Endpoint
from tests.publishing.credentials import ALICE, ALICE_KEY, CHARLIE, CHARLIE_KEY, basic
from tests.servers.in_process import serve_in_process

_HELLO = b'{"items":[{"channel":"hello","json-object":1}]}'
_GOOD = basic(ALICE, ALICE_KEY)


def _request(body: bytes, authorization: bytes = _GOOD, *headers: bytes, path: bytes = b"") -> bytes:
    lines = [
        b"POST /realm/%b/publish/%b HTTP/1.1" % (ALICE.encode(), path),
        b"Host: localhost",
        b"Authorization: " + authorization,
        *headers,
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join([*lines, b"", b""]) + body


def _told(event: tuple[Any, Any]) -> str:
    """Return the event as it is shown, without the position, whose epoch is chance."""
    return re.sub(r"position='[^']*'", "", str(event))


@asynccontextmanager
async def _served(endpoint: Endpoint, asgi_paths: list[str], *, directly: bool) -> AsyncIterator[BareSocket]:
    """Serve the endpoint, and connect; `asgi_paths` gets what comes by ASGI."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asgi_paths.append(scope["path"])
        await endpoint.endpoint.serve(find_target(scope["raw_path"]), scope, receive, send)  # type: ignore[arg-type]

    def find(scope: Any) -> Any:
        target = find_target(scope["raw_path"])
        return endpoint.endpoint.make_answerer(target, scope) if directly and target is not None else None

    async with (
        serve_in_process(app, accept_at_once=lambda scope: False, find_answerer=find) as port,
        bare_socket(port) as client,
    ):
        yield client


async def _ask(request: bytes, *, directly: bool, rate: Rate | None = None) -> tuple[bytes, Endpoint, list[str]]:
    """Return the answers to the same request twice, what answered, and what came by ASGI."""
    endpoint = Endpoint(rate=rate, watched=[ALICE])
    asgi_paths: list[str] = []
    async with _served(endpoint, asgi_paths, directly=directly) as client:
        await client.send(request + request.replace(b"Host:", b"Connection: close\r\nHost:"))
        answers = await client.read_to_end()
    return re.sub(rb"(?m)^date: .*\r\n", b"", answers), endpoint, asgi_paths


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (_request(_HELLO), b"200"),
        (_request(_HELLO, _GOOD, b"Accept: application/json"), b"200"),
        (_request(_HELLO, _GOOD, b"Accept: image/png"), b"406"),
        (_request(_HELLO, path=b"room%2F7/"), b"200"),
        (_request(_HELLO, path=b"%ff/"), b"400"),
        (_request(_HELLO, basic(ALICE, CHARLIE_KEY)), b"401"),
        (_request(_HELLO, basic(CHARLIE, CHARLIE_KEY)), b"403"),
        (_request(b"{}"), b"400"),
        (_request(b'{"items":[{"channel":"hello","id":"a1"}]}', _GOOD, b"Accept: application/json"), b"400"),
        (_request(b"a=b", _GOOD, b"Content-Type: application/x-www-form-urlencoded"), b"400"),
        (_request(b" " * (MAX_BODY_BYTES + 1)), b"413"),
    ],
)
async def test_the_answer_is_the_same_to_the_byte(request_: bytes, status: bytes):
    (direct, at_once, none), (served, by_asgi, _) = await asyncio.gather(
        _ask(request_, directly=True), _ask(request_, directly=False)
    )

    assert direct.split(b" ")[1] == status
    assert direct == served
    assert len(none) == (status != b"413"), "the second one closes the connection, which is the server's business"
    assert at_once.endpoint._statistics.requests == by_asgi.endpoint._statistics.requests
    assert [_told(event) for event in at_once.activity.events] == [_told(event) for event in by_asgi.activity.events]


async def test_refusals_by_limits_are_the_same_too():
    request = _request(json.dumps({"items": [{"channel": "hello", "json-object": n} for n in range(3)]}).encode())
    rate = Rate(per_s=1.0, burst=3)

    direct, _, _ = await _ask(request, directly=True, rate=rate)
    served, _, _ = await _ask(request, directly=False, rate=rate)

    assert (direct.count(b"HTTP/1.1 200"), direct.count(b"HTTP/1.1 429")) == (1, 1)
    assert direct == served


@pytest.mark.parametrize("directly", [True, False])
async def test_publishes_leave_no_garbage_to_collect(*, directly: bool):
    async with _served(Endpoint(), [], directly=directly) as client:
        await _publish(client)
        with watched_garbage() as found:
            for _ in range(20):
                await _publish(client)

    assert not found


async def _publish(client: BareSocket) -> None:
    await client.send(_request(_HELLO))
    assert (await client.read_until(b"Published")).startswith(b"HTTP/1.1 200")
