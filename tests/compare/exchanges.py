"""An exchange as data: what the client asks, what the origin answers, what is published; and what the client then saw.

The same exchange is played through each peer; what the client saw is compared byte for byte, except for what must
differ (`MUST_DIFFER`).
"""

import asyncio
import base64
import json
from dataclasses import dataclass, field, replace
from typing import Any

#: Response headers that are not compared, each with the reason.
MUST_DIFFER = {
    "date": "the time, and only ours adds one to held streams",
    "connection": "each peer frames by its own rules",
    "transfer-encoding": "see above; the body is compared without chunks",
    "content-length": "see above; a body of another length is seen anyway",
    "keep-alive": "of one connection",
    "server": "the product's name",
    "via": "the product's name",
    "content-security-policy": "ours protects the host that many realms share (/r/REALM)",
    "x-content-type-options": "ours adds it to its own errors",
}

PATIENCE_S = 20.0
#: After this long without a byte a stream is taken to be quiet.
QUIET_S = 0.25


@dataclass(frozen=True)
class Step:
    """What happens once the client is held: an item is published on its channel, or its WebSocket says a text."""

    item: dict[str, Any] | None = None
    text: str = ""


@dataclass(frozen=True)
class Exchange:
    """One client's request. `answers` are the origin's, one for each time that it is asked; the last one repeats."""

    answers: tuple["OriginAnswer | EventsAnswer", ...]
    method: str = "GET"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    publishes: tuple[Step, ...] = ()
    is_socket: bool = False  # asks for a WebSocket, which reaches the origin over HTTP


@dataclass(frozen=True)
class OriginAnswer:
    """What the origin says. `{channel}` in a header or body stands for the exchange's own channel."""

    status: int = 200
    reason: str = "OK"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def encode(self, channel: str) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value.replace('{channel}', channel)}" for name, value in self.headers]
        body = self.body.replace(b"{channel}", channel.encode())
        lines += [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class EventsAnswer:
    """What the origin of a WebSocket says over HTTP: events, of which the texts are given."""

    texts: tuple[str, ...] = ()
    is_opening: bool = False  # accepts, turns GRIP on and subscribes to the exchange's channel
    filters: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, channel: str) -> bytes:
        headers = (("Content-Type", "application/websocket-events"), *self.headers)
        events, texts = b"", self.texts
        if self.is_opening:
            headers += (("Sec-WebSocket-Extensions", "grip"),)
            told = {"type": "subscribe", "channel": channel, "filters": self.filters}
            events, texts = b"OPEN\r\n", ("c:" + json.dumps(told), *texts)
        events += b"".join(b"TEXT %x\r\n%b\r\n" % (len(text.encode()), text.encode()) for text in texts)
        return OriginAnswer(headers=headers, body=events).encode(channel)


@dataclass(frozen=True)
class Seen:
    """What the client got."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_ended: bool

    @property
    def comparable(self) -> "Seen":
        """Return it without what must differ."""
        kept = sorted((name.lower(), value) for name, value in self.headers if name.lower() not in MUST_DIFFER)
        return replace(self, headers=tuple(kept))


@dataclass
class Asked:
    """A request as the origin saw it: only what depends on the edge's understanding of instructions."""

    method: str
    target: str
    last_ids: list[str]
    meta: list[tuple[str, str]]
    body: bytes


@dataclass
class Peer:
    """Where a product listens."""

    name: str
    port: int
    host: str
    publish_port: int
    publish_path: str
    auth: tuple[str, str] | None = None
    seen: dict[str, list[Asked]] = field(default_factory=dict)

    async def publish(self, items: list[dict[str, Any]]) -> tuple[int, str]:
        """Publish; return status and first line of the answer."""
        body = json.dumps({"items": items}).encode()
        auth = ""
        if self.auth is not None:
            auth = f"Authorization: Basic {base64.b64encode(':'.join(self.auth).encode()).decode()}\r\n"
        head = f"POST {self.publish_path} HTTP/1.1\r\nHost: localhost\r\n{auth}Content-Length: {len(body)}\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", self.publish_port)
        try:
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        finally:
            writer.close()
        return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace")


class Client:
    """One connection of a client, read as it comes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_head: bool) -> None:
        self.is_head = is_head
        self._reader = reader
        self._writer = writer
        self.raw = b""
        self.is_ended = False
        self._task = asyncio.get_running_loop().create_task(self._read())
        self.changed = asyncio.Event()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65_536):
                self.raw += data
                self.changed.set()
        except OSError:
            pass
        self.is_ended = True
        self.changed.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    @property
    def seen(self) -> Seen | None:
        """What has come, or None before the head is there."""
        head, separator, rest = self.raw.partition(b"\r\n\r\n")
        if not separator:
            return None
        line, *lines = head.decode("utf-8", "replace").split("\r\n")
        _, status, reason = (line + "  ").split(" ", 2)
        headers = [tuple(one.split(": ", 1)) if ": " in one else (one.rstrip(":"), "") for one in lines]
        named = {name.lower(): value for name, value in headers}
        body, is_whole = _body_of(rest, named, int(status), is_head=self.is_head)
        return Seen(int(status), reason.strip(), tuple(headers), body, is_whole)  # type: ignore[arg-type]


def _body_of(rest: bytes, headers: dict[str, str], status: int, *, is_head: bool) -> tuple[bytes, bool]:
    """Return the body so far, and whether it is whole."""
    if status in (204, 304) or is_head:
        return b"", True
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _without_chunks(rest)
    if "content-length" in headers:
        length = int(headers["content-length"])
        return rest[:length], len(rest) >= length
    return rest, False


def _without_chunks(rest: bytes) -> tuple[bytes, bool]:
    body = b""
    while True:
        line, separator, rest = rest.partition(b"\r\n")
        if not separator:
            return body, False
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return body, True
        body, rest = body + rest[:size], rest[size + 2 :]
