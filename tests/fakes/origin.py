"""Answers of an origin, without an origin."""

from collections.abc import AsyncIterator

from fanoutcloud.outbound.errors import OutboundError


class FakeBody:
    """A body in pieces; an error among them is raised in its place."""

    def __init__(self, *pieces: bytes | OutboundError) -> None:
        self._pieces = list(pieces)
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces or self.is_closed:
            raise StopAsyncIteration
        piece = self._pieces.pop(0)
        if isinstance(piece, OutboundError):
            raise piece
        return piece

    def close(self) -> None:
        self.is_closed = True
