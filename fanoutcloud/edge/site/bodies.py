"""Bodies of requests to a realm's site: whole, bounded in size and time."""

import asyncio

from fanoutcloud.core.errors import BodyTooLarge, InvalidRequest
from fanoutcloud.edge.connections.sinks import Receive

BODY_TIMEOUT_S = 15.0


async def read_body(receive: Receive, *, limit_bytes: int, timeout_s: float = BODY_TIMEOUT_S) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: it is larger than the limit.
        InvalidRequest: it did not come in time, or the client left.
    """
    parts: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise InvalidRequest("the client left before the body's end", field="body")
                parts.append(message.get("body", b""))
                size_bytes += len(parts[-1])
                if size_bytes > limit_bytes:
                    raise BodyTooLarge(limit_bytes)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise InvalidRequest(
            f"the body did not come within {timeout_s:g} s", cure="send it at once", field="body"
        ) from None
