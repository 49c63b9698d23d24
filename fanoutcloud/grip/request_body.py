"""A client's request body on its way to an origin: passed on as it comes, kept as long as it is small."""

import asyncio
from collections.abc import AsyncIterator

from fanoutcloud.edge.connections.client_response import ClientLeft
from fanoutcloud.edge.connections.sinks import Receive
from fanoutcloud.grip.exchange import REPEATABLE_BODY_BYTES
from fanoutcloud.grip.headers import find_values
from fanoutcloud.outbound.messages import Headers

#: A client that sends nothing of its body for this long has left.
IDLE_S = 60.0


class ClientBody:
    """Read once, by iterating, or by `read_beginning`, which spares small requests that."""

    def __init__(self, headers: Headers, receive: Receive, *, idle_s: float = IDLE_S) -> None:
        self._receive = receive
        self._idle_s = idle_s
        lengths = find_values(headers, b"content-length")
        is_chunked = bool(find_values(headers, b"transfer-encoding"))
        #: As the client said; None: it did not.
        self.length = int(lengths[0]) if lengths and not is_chunked else None
        #: Whether nothing is left to be read.
        self.is_whole = not is_chunked and not self.length
        self._begun: list[bytes] = []
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0

    @property
    def kept(self) -> bytes | None:
        """The body, if all of it was read and it is small enough to be kept."""
        return b"".join(self._kept) if self.is_whole and self._kept is not None else None

    async def read_beginning(self) -> None:
        """Read what has come, so that a small body is whole before it is sent."""
        if not self.is_whole:
            self._begun.append(await self._read())

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._begun:
            return self._begun.pop()
        if self.is_whole:
            raise StopAsyncIteration
        return await self._read()

    async def _read(self) -> bytes:
        try:
            async with asyncio.timeout(self._idle_s):
                message = await self._receive()
        except TimeoutError:
            raise ClientLeft from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        self.is_whole = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        self._keep(piece)
        return piece

    def _keep(self, piece: bytes) -> None:
        self._kept_bytes += len(piece)
        if self._kept_bytes > REPEATABLE_BODY_BYTES:
            self._kept = None
        elif self._kept is not None:
            self._kept.append(piece)
