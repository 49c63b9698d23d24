"""An answer's body that was begun to be collected and turned out to be long."""

from collections.abc import AsyncIterator

from fanoutcloud.outbound.messages import Response, ResponseBody


class ResumedBody:
    """What was read of a body, and then the rest as it comes. Is a `ResponseBody`."""

    def __init__(self, pieces: list[bytes], rest: ResponseBody) -> None:
        self._pieces = pieces
        self._rest = rest

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else await self._rest.__anext__()

    def close(self) -> None:
        self._pieces.clear()
        self._rest.close()


async def collect_or_go_on(response: Response, limit_bytes: int) -> bytes | None:
    """Return the whole body if it is no longer than `limit_bytes`; else None, and `response.body` is all of it still.

    Raises:
        ExchangeFailed: it does not come whole.
    """
    pieces: list[bytes] = []
    size = 0
    async for piece in response.body:
        pieces.append(piece)
        size += len(piece)
        if size > limit_bytes:
            response.body = ResumedBody(pieces, response.body)
            return None
    return b"".join(pieces)
