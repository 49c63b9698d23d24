"""Plays exchanges through peers that have one origin."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.compare.exchanges import PATIENCE_S, QUIET_S, Asked, Client, Exchange, Peer, Seen

#: Between the origin's answer and the hold; neither peer tells when it holds.
HOLD_S = 0.12


class Stage:
    """The origin of all peers. Which exchange a request belongs to, and which peer sent it, stands in its path."""

    def __init__(self) -> None:
        self.port = 0
        self._numbers = itertools.count()
        self._playing: dict[str, tuple[Exchange, list[Asked], asyncio.Event]] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection of a peer."""
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass  # the peer has had enough
        except asyncio.CancelledError:
            pass  # the stage is taken down
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
        line, *lines = head.strip().split("\r\n")
        method, target, _ = line.split(" ", 2)
        headers = [(name.lower(), value.strip()) for name, _, value in (one.partition(":") for one in lines)]
        named = dict(headers)
        body = await reader.readexactly(int(named.get("content-length", 0)))
        name = target.split("/")[1].partition("?")[0]
        if name not in self._playing:  # it is over: a peer asks again late
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        exchange, asked, event = self._playing[name]
        last_ids = [value.replace(name, "NAME") for key, value in headers if key == "grip-last"]
        meta = sorted((key, value) for key, value in headers if key.startswith("meta-"))
        number = len(asked)
        asked.append(Asked(method, target.replace(name, "NAME"), last_ids, meta, _small_sizes(body)))
        answer = exchange.answers[min(number, len(exchange.answers) - 1)]
        raw = answer.encode(f"channel-{name}")
        writer.write(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else raw)
        await writer.drain()
        event.set()
        return True

    async def play(self, exchange: Exchange, peer: Peer) -> tuple[Seen | None, list[Asked]]:
        """Return what the client saw, and what the origin was asked."""
        name = f"{peer.name.lower()}{next(self._numbers)}"
        asked: list[Asked] = []
        event = asyncio.Event()
        self._playing[name] = (exchange, asked, event)
        reader, writer = await asyncio.open_connection("127.0.0.1", peer.port)
        client = Client(reader, writer, is_head=exchange.method == "HEAD")
        try:
            writer.write(_request(exchange, peer.host, f"/{name}/"))
            await asyncio.wait_for(event.wait(), PATIENCE_S)
            for step in exchange.publishes:
                await asyncio.sleep(HOLD_S)
                if step.item is not None:
                    await peer.publish([step.item | {"channel": f"channel-{name}"}])
                elif not client.is_ended:
                    writer.write(_text_frame(step.text))
            await self._until_quiet(client)
            seen = client.seen
            return (None if seen is None else seen.comparable), asked
        finally:
            await client.close()
            del self._playing[name]

    async def _until_quiet(self, client: Client) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not client.is_ended and not (client.seen is not None and client.seen.is_ended):
                client.changed.clear()
                try:
                    await asyncio.wait_for(client.changed.wait(), QUIET_S)
                except TimeoutError:
                    return


def _request(exchange: Exchange, host: str, target: str) -> bytes:
    lines = [f"{exchange.method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in exchange.headers]
    if exchange.is_socket:
        lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
        lines += ["Sec-WebSocket-Key: c29tZSBrZXkgb2Ygb3Vycw=="]
    if exchange.body:
        lines.append(f"Content-Length: {len(exchange.body)}")
    return "\r\n".join([*lines, "", ""]).encode() + exchange.body


def _small_sizes(events: bytes) -> bytes:
    """Return WebSocket events with their hexadecimal sizes in small letters: peers write them either way."""
    return re.sub(rb"(?m)^([A-Z]+ )([0-9A-F]+)\r$", lambda found: found[1] + found[2].lower() + b"\r", events)


def _text_frame(text: str) -> bytes:
    """Return a masked frame; with a mask of zeros its content stands as it is (RFC 6455 §5.3)."""
    content = text.encode()
    assert len(content) < 126, "texts are short here"
    return bytes([0x81, 0x80 | len(content), 0, 0, 0, 0]) + content


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Serve the origin until the block ends."""
    made = Stage()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
