"""A receiver of webhooks: answers as it is told to, and keeps what it got. In a thread of its own."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httptools

#: What to do with a request: a status, with headers and body; "hang"; "reset"; or "slow", which is 200 after `SLOW_S`.
Answer = int | tuple[int, dict[str, str], bytes] | str
SLOW_S = 0.5
Behaviour = Callable[["Received"], Answer]


@dataclass(slots=True)
class Received:
    """One request as it came; `seen` is how often its webhook-id had come before."""

    path: str
    method: str
    headers: dict[str, str]
    body: bytes
    seen: int = 0

    @property
    def webhook_id(self) -> str:
        return self.headers.get("webhook-id", "")


@dataclass
class WebhookSink:
    """`received` grows while it runs; `behave` may be changed at any time."""

    behave: Behaviour = field(default=lambda request: 200)
    received: list[Received] = field(default_factory=list)
    port: int = 0
    keeps: bool = True
    count: int = 0
    open: set[asyncio.Transport] = field(default_factory=set)
    _seen: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, path: str) -> list[Received]:
        """Return what came to a path, oldest first."""
        return [one for one in self.received if one.path == path]

    def take(self, request: Received) -> Answer:
        self.count += 1
        if self.keeps:
            name = request.path + request.webhook_id
            request.seen = self._seen.get(name, 0)
            self._seen[name] = request.seen + 1
            self.received.append(request)
        return self.behave(request)


class _Connection(asyncio.Protocol):
    def __init__(self, sink: WebhookSink) -> None:
        self._sink = sink
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._url = b""

    def connection_made(self, transport):  # type: ignore[no-untyped-def]
        self._transport = transport
        self._sink.open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sink.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        answer = self._sink.take(Received(self._url.decode(), method, self._headers, self._body))
        if answer == "reset":
            self._transport.abort()
        elif answer == "slow":
            asyncio.get_running_loop().call_later(SLOW_S, self._answer, 200)
        elif answer != "hang":
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if not self._transport.is_closing():
            status, headers, body = answer if isinstance(answer, tuple) else (answer, {}, b"ok")
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{lines}\r\n"
            self._transport.write(head.encode() + body)
            asyncio.get_running_loop().call_soon(self._begin)


@contextmanager
def running_sink(behave: Behaviour | None = None, *, tls: ssl.SSLContext | None = None) -> Iterator[WebhookSink]:
    """Yield a sink that listens on a free port of loopback."""
    sink = WebhookSink()
    if behave is not None:
        sink.behave = behave
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        listen = asyncio.get_running_loop().create_server
        server = await listen(lambda: _Connection(sink), "127.0.0.1", 0, backlog=500, ssl=tls)
        sink.port = server.sockets[0].getsockname()[1]
        ready.set()
        await over.wait()
        server.close()
        for transport in list(sink.open):
            transport.abort()
        await asyncio.sleep(0.01)  # lets them close

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
