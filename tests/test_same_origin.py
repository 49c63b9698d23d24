"""Whose pages may open the dashboard's WebSockets."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from fanoutcloud.same_origin import SameOriginOnly


async def _is_let_through(*, host: str, origin: str | None) -> bool:
    reached = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        assert message["type"] == "websocket.close"

    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    scope = {"type": "websocket", "path": "/live/0a1b2c3d/", "headers": headers}
    await SameOriginOnly(app)(scope, receive, send)
    return bool(reached)


@pytest.fixture(autouse=True)
def _hosts() -> Iterator[None]:
    with override_settings(ALLOWED_HOSTS=["fanout.example.com", "localhost"]):
        yield


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("fanout.example.com", "https://fanout.example.com"),
        ("localhost:8000", "http://localhost:8000"),
    ],
)
async def test_the_dashboards_own_pages_are_let_through(host: str, origin: str):
    assert await _is_let_through(host=host, origin=origin)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("fanout.example.com", "https://0a1b2c3d.example.com"),
        ("fanout.example.com", "https://evil.example"),
        ("fanout.example.com", "https://fanout.example.com.evil.example"),
        ("fanout.example.com", "null"),
        ("fanout.example.com", ""),
        ("fanout.example.com", None),
        ("localhost:8000", "http://localhost:3000"),
        ("localhost:8000", "http://0a1b2c3d.localhost:8000"),
        ("evil.example", "https://evil.example"),  # a name that somebody points at us (DNS rebinding)
        ("", ""),
    ],
)
async def test_every_other_page_is_turned_away(host: str, origin: str | None):
    assert not await _is_let_through(host=host, origin=origin)
