"""HTTP as the prover's clients speak it: one request at a time on a raw connection, nothing retried unseen."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

CONNECT_TIMEOUT_S = 3.0
MAX_LINE_BYTES = 4 * 1024 * 1024


class Broken(Exception):
    """What came is no answer, or one that asks to come again."""


#: How a connection can fail that was all right.
FAILURES = (OSError, EOFError, TimeoutError, ValueError, asyncio.LimitOverrunError, Broken)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line and headers of a response; the body is still to be read."""

    status: int
    headers: dict[str, str]


class HttpConnection:
    """A connection to one process. Whoever uses it bounds the time, and expects `FAILURES`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        """Return a connection to the process on `port`."""
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return cls(*await asyncio.open_connection("127.0.0.1", port, limit=MAX_LINE_BYTES))

    def abort(self) -> None:
        """Be gone, without a word."""
        self._writer.transport.abort()

    async def request(
        self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request and return the head of its answer."""
        fields = {"Host": "localhost", "Content-Length": str(len(body)), **(headers or {})}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._writer.write(head.encode() + b"\r\n" + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        version, _, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1."):
            raise Broken(f"no HTTP: {lines[0][:60]!r}")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return Answer(int(rest[:3]), {name.lower(): value.strip() for name, _, value in pairs})

    async def read_body(self, answer: Answer) -> bytes:
        """Return the whole body of an answer that has an end."""
        if "content-length" in answer.headers:
            return await self._reader.readexactly(int(answer.headers["content-length"]))
        return b"".join([chunk async for chunk in self._chunks()])

    async def lines(self) -> AsyncIterator[str]:
        """Yield the lines of an endless answer, each once its end has come."""
        rest = b""
        async for chunk in self._chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            chunk = await self._reader.readexactly(size + 2)
            yield chunk[:-2]
        await self._reader.readuntil(b"\r\n")


def read_json(text: str | bytes) -> dict[str, Any]:
    """Return a JSON object."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise Broken(f"no JSON object: {text[:60]!r}")
    return value
