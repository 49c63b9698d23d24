"""A web server that does what a test tells it, byte by byte: also what no real server should do."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

PATIENCE_S = 15.0


@dataclass(slots=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """Return a header that must not occur twice."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class Caller:
    """One connection to the origin, from the origin's side."""

    def __init__(self, origin: "Origin", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._origin = origin
        self.reader = reader
        self.writer = writer
        self.requests = 0

    async def head(self) -> Seen | None:
        """Read a request's head; None when the caller has left."""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        request_line, *lines = raw[:-4].decode("latin-1").split("\r\n")
        method, target, version = request_line.split(" ")
        assert version == "HTTP/1.1"
        seen = Seen(method, target, [(name, value.strip()) for name, _, value in (x.partition(":") for x in lines)])
        self._origin.requests.append(seen)
        self.requests += 1
        return seen

    async def request(self) -> Seen | None:
        """Read a whole request."""
        seen = await self.head()
        if seen is None:
            return None
        if seen.header("transfer-encoding") == "chunked":
            while size := int((await self.reader.readline()).split(b";")[0], 16):
                seen.body += await self.reader.readexactly(size)
                assert await self.reader.readexactly(2) == b"\r\n"
            assert await self.reader.readline() == b"\r\n"
        else:
            seen.body = await self.reader.readexactly(int(seen.header("content-length") or 0))
        return seen

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, body: bytes = b"", *, status: str = "200 OK", headers: Sequence[str] = ()) -> None:
        """Answer with a whole response."""
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)
        await self.writer.drain()

    def reset(self) -> None:
        """End the connection rudely."""
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the caller has left."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.reader.read(65536):
                pass


Script = Callable[[Caller], Awaitable[None]]


class Origin:
    """What it has seen. `script` serves each connection, and may be changed at any time."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Seen] = []
        self.connections = 0
        self.open = 0
        self.port = 0
        self.problems: list[Exception] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.script(Caller(self, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as problem:  # told to the test when the origin ends
            self.problems.append(problem)
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def origin_server(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Origin]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    origin = Origin(script)
    tasks: set[asyncio.Task[None]] = set()

    def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(origin.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=tls)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        yield origin
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert origin.problems == [], origin.problems


def answering(body: bytes = b"", *, status: str = "200 OK", headers: Sequence[str] = ()) -> Script:
    """Answer every request of every connection alike."""

    async def script(caller: Caller) -> None:
        while await caller.request() is not None:
            await caller.answer(body, status=status, headers=headers)

    return script


def sending(*pieces: bytes, reads_request: bool = True) -> Script:
    """Send these bytes to whoever asks, and end the connection."""

    async def script(caller: Caller) -> None:
        if reads_request:
            await caller.request()
        for piece in pieces:
            caller.send(piece)
            await caller.writer.drain()
            await asyncio.sleep(0)

    return script


def repeating(answer: bytes) -> Script:
    """Send the same bytes for each request, and leave the connection open."""

    async def script(caller: Caller) -> None:
        while await caller.request() is not None:
            caller.send(answer)

    return script


def each(*scripts: Script) -> Script:
    """Serve the first connection by the first script, and so on; the last one serves all that follow."""
    waiting = list(scripts)

    async def script(caller: Caller) -> None:
        await (waiting.pop(0) if len(waiting) > 1 else waiting[0])(caller)

    return script
