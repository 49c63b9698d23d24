"""Where a subscriber's bytes go. Two kinds behind one protocol:

- prepared (`edge.connections.held`): bytes ready for the socket, straight to the transport of our own server;
- plain (here): through ASGI `send` of any server, from a bounded outbox that one coroutine pumps.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from fanoutcloud.edge.limits import EdgeLimits

Message = MutableMapping[str, Any]  # Any: ASGI messages are open mappings
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]  # Any: ASGI scopes are open mappings
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class SinkOwner(Protocol):
    """Who hears of what happens to a sink. All are called on the event loop and must not raise."""

    def on_overflow(self) -> None:
        """More than `outbox_bytes` are unsent."""

    def on_lost(self) -> None:
        """The connection is gone, whoever ended it. Called once."""

    def on_text(self, text: str) -> None:
        """The client sent a text message (WebSocket only)."""

    def on_bytes(self, data: bytes) -> None:
        """The client sent a binary message (WebSocket only)."""

    def on_violation(self, code: int, reason: str) -> None:
        """The client broke the protocol and is closed with this code; `on_lost` follows (WebSocket only)."""


class _Nobody:
    """An owner that nothing matters to."""

    def on_overflow(self) -> None:
        pass

    def on_lost(self) -> None:
        pass

    def on_text(self, text: str) -> None:
        pass

    def on_bytes(self, data: bytes) -> None:
        pass

    def on_violation(self, code: int, reason: str) -> None:
        pass


#: Owns the sink of a refused client, and that of a connection that is over: a sink and an owner that held each other
#: beyond that would be garbage that only a collection finds, which is a pause for every other connection.
NOBODY: SinkOwner = _Nobody()


class Sink(Protocol):
    """Takes bytes for one connection; never waits."""

    def write(self, frame: bytes) -> None:
        """Take bytes in the sink's wire format; after `close` they are dropped."""

    def unsent_bytes(self) -> int:
        """Return how much was taken and has not left this process."""

    async def drained(self) -> None:
        """Wait until at most `catch_up_bytes` are unsent, or the connection is lost. The caller sets the deadline."""

    def close(self, code: int, reason: str) -> None:
        """End the connection after what is unsent; give up on a stuck peer after `stuck_s`. Idempotent.

        `code` and `reason` are told where the transport can (WebSocket).
        """


class _Nowhere:
    """A sink whose connection is over."""

    def write(self, frame: bytes) -> None:
        pass

    def unsent_bytes(self) -> int:
        return 0

    async def drained(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        pass


#: What a subscriber that was its sink's only owner has afterwards; for the same reason as `NOBODY`.
NOWHERE: Sink = _Nowhere()


class GatheringSink:
    """A sink for what a subscriber is told before its connection is held: all of it goes out with the head."""

    __slots__ = ("_pieces", "write")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.write: Callable[[bytes], None] = self._pieces.append

    def gathered(self) -> bytes:
        """Return all that was written."""
        return b"".join(self._pieces)

    def unsent_bytes(self) -> int:
        return sum(map(len, self._pieces))

    async def drained(self) -> None:
        pass

    def close(self, code: int, reason: str) -> None:
        pass


class PlainSink:
    """A sink over ASGI `send`. `pump` must be running for anything to leave."""

    def __init__(self, owner: SinkOwner, limits: EdgeLimits) -> None:
        self._owner = owner
        self._limits = limits
        self._frames: deque[bytes] = deque()
        self._unsent_bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._closing: tuple[int, str] | None = None
        self._overflowed = False

    def write(self, frame: bytes) -> None:
        if self._closing is not None or not frame:
            return
        self._frames.append(frame)
        self._unsent_bytes += len(frame)
        self._changed.set()
        if self._unsent_bytes > self._limits.outbox_bytes and not self._overflowed:
            self._overflowed = True
            self._owner.on_overflow()

    def unsent_bytes(self) -> int:
        return self._unsent_bytes

    async def drained(self) -> None:
        while self._unsent_bytes > self._limits.catch_up_bytes and self._closing is None:
            self._room.clear()
            await self._room.wait()

    def close(self, code: int, reason: str) -> None:
        if self._closing is None:
            self._closing = (code, reason)
            self._changed.set()
            self._room.set()

    async def pump(self, send_frame: Callable[[bytes], Awaitable[None]]) -> tuple[int, str]:
        """Pass frames to `send_frame` until `close`; return its code and reason.

        A frame that does not leave within `stuck_s` is an overflow, too; then nothing more is sent, nor when
        `send_frame` raises OSError: the client has left.
        """
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._frames:
                frame = self._frames.popleft()
                try:
                    async with asyncio.timeout(self._limits.stuck_s):
                        await send_frame(frame)
                except TimeoutError:
                    self._owner.on_overflow()
                    return self._closing or (1011, "stuck")
                except OSError:  # ASGI: the client has left, and we have not been told yet
                    self._owner.on_lost()
                    return self._closing or (1006, "")
                self._unsent_bytes -= len(frame)
                self._room.set()
            if self._closing is not None:
                return self._closing


async def send_last(send: Send, message: Message, limits: EdgeLimits) -> None:
    """Send the last message of a connection; a peer that takes nothing, or has left, goes without it."""
    with contextlib.suppress(OSError):  # TimeoutError is one; ASGI: so is sending to a client that has left
        async with asyncio.timeout(limits.stuck_s):
            await send(message)
