"""The demo's own little web server: one page, and what it shows as server-sent events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn

from tests.load.demo.show import Show
from tests.servers.command import free_port

PAGE = Path(__file__).with_name("page")
FILES = {
    "/": ("index.html", b"text/html; charset=utf-8"),
    "/demo.js": ("demo.js", b"text/javascript; charset=utf-8"),
    "/demo.css": ("demo.css", b"text/css; charset=utf-8"),
}
#: How often an open page is told of changes.
EVENT_STEP_S = 0.2
START_TIMEOUT_S = 10.0
_SAFETY = [
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"),
    (b"cache-control", b"no-store"),
]


class PageApp:
    """The ASGI application."""

    def __init__(self, show: Show) -> None:
        self._show = show

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/events":
            await self._tell(receive, send)
            return
        name, kind = FILES.get(scope["path"], ("", b"text/plain"))
        body = (PAGE / name).read_bytes() if name else b"nothing here\n"
        await _begin(send, 200 if name else 404, kind)
        await send({"type": "http.response.body", "body": body})

    async def _tell(self, receive: Any, send: Any) -> None:
        """Send the state whenever it has changed, until the page is closed or the demo has ended."""
        await _begin(send, 200, b"text/event-stream")
        leaving = asyncio.create_task(_wait_for_leaving(receive))
        try:
            told = -1
            while not leaving.done():
                if told != self._show.version:
                    told = self._show.version
                    event = f"data: {json.dumps(self._show.state())}\n\n".encode()
                    await send({"type": "http.response.body", "body": event, "more_body": True})
                await asyncio.wait([leaving], timeout=EVENT_STEP_S)
        finally:
            leaving.cancel()


async def _begin(send: Any, status: int, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *_SAFETY]})


async def _wait_for_leaving(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@contextlib.asynccontextmanager
async def serving_page(show: Show, port: int = 0) -> AsyncIterator[str]:
    """Serve until the block ends; yield the page's address."""
    port = port or free_port()
    config = uvicorn.Config(PageApp(show), host="127.0.0.1", port=port, log_config=None, lifespan="off")
    config.timeout_graceful_shutdown = 1
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
        yield f"http://localhost:{port}/"
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """A server that leaves the signals to the demo."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
