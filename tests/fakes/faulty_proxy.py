"""A proxy between a browser and a site, with the faults that proxies have. It has a thread: browser tests block.

Every request gets a connection of its own, so that each can be treated by what it asks for.
"""

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<h1>Sorry.</h1>"
HEAD_LIMIT_S = 10.0


class FaultyProxy:
    """Passes on what comes to its port. Faults are switched on by setting them; new requests have them at once."""

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        self.target_port = target_port
        self._tls = tls
        self.port = 0
        self.buffers = False  # responses without a length, and WebSockets, are kept until their end
        self.answers_502 = False
        self.is_down = False  # connections are dropped at once
        self.swallows = False  # what comes from the server is lost, and the connections stay open
        self.drops_upgrades = False  # requests for a WebSocket are answered by nobody
        self.websocket_life_s: float | None = None
        self.idle_limit_s: float | None = None  # without anything from the server
        self.requests: list[str] = []  # the first line of each
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Drop every connection."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    def go_down(self) -> None:
        """Drop every connection, and each that comes, until `come_up`."""
        self.is_down = True
        self.cut()

    def come_up(self) -> None:
        self.is_down = False

    def heal(self) -> None:
        """Switch every fault off."""
        self.buffers = self.answers_502 = self.is_down = self.swallows = self.drops_upgrades = False
        self.websocket_life_s = self.idle_limit_s = None

    def run(self, started: threading.Event) -> None:
        """Serve until `stop`."""
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._handle, "127.0.0.1", 0, ssl=self._tls))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._cut())
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _cut(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(HEAD_LIMIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head.split(b"\r\n", 1)[0].decode())
            if self.is_down:
                return
            if self.answers_502:
                writer.write(_BAD_GATEWAY)
                await writer.drain()
                return
            is_upgrade = b"upgrade: websocket" in head.lower()
            if is_upgrade and self.drops_upgrades:
                return
            up_reader, upstream = await asyncio.open_connection("127.0.0.1", self.target_port)
            upstream.write(head if is_upgrade else _for_one_request(head))
            await self._exchange(reader, writer, up_reader, upstream, is_upgrade=is_upgrade)
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            pass
        finally:
            self._tasks.discard(task)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort() if self.is_down else end.close()

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
        *,
        is_upgrade: bool,
    ) -> None:
        up = asyncio.ensure_future(self._pass_on(reader, upstream, holds=False, limit_s=None))
        down = asyncio.ensure_future(self._pass_on(up_reader, writer, holds=self.buffers, limit_s=self.idle_limit_s))
        try:
            life_s = self.websocket_life_s if is_upgrade else None
            await asyncio.wait([up, down] if is_upgrade else [down], timeout=life_s, return_when="FIRST_COMPLETED")
        finally:
            for one in (up, down):
                one.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError, TimeoutError):
                    await one

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, holds: bool, limit_s: float | None
    ) -> None:
        held = b""
        while True:
            async with asyncio.timeout(limit_s):
                data = await reader.read(65536)
            if not data:
                break
            if self.swallows:
                continue
            if holds and b"content-length:" not in (held + data).lower():
                held += data
                continue
            writer.write(held + data)
            held, holds = b"", False
            await writer.drain()
        writer.write(held)
        await writer.drain()


def _for_one_request(head: bytes) -> bytes:
    bare = re.sub(rb"(?im)^connection:[^\r]*\r\n", b"", head)
    return bare[:-2] + b"Connection: close\r\n\r\n"


@contextmanager
def faulty_proxy(target_port: int, *, tls: ssl.SSLContext | None = None) -> Iterator[FaultyProxy]:
    """A running proxy to a port of this machine; with `tls` it speaks HTTPS to clients."""
    proxy = FaultyProxy(target_port, tls=tls)
    started = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(started,), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(10)
