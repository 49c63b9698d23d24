"""An origin's refusal of a WebSocket, as its client gets it."""

from fanoutcloud.grip.exchange import Exchange, OriginResponse
from fanoutcloud.grip.instructions import Answer
from fanoutcloud.grip.response_holds import dress
from fanoutcloud.outbound.errors import ExchangeFailed

#: The client gets at most this much of its body.
MAX_REJECTION_BYTES = 100_000


async def read_rejection(exchange: Exchange, response: OriginResponse) -> Answer:
    """Return the response to a handshake, dressed, its body cut to `MAX_REJECTION_BYTES`.

    Raises:
        OriginFailed: the body broke off.
    """
    body = bytearray()
    try:
        async for piece in response.body:
            body += piece
            if len(body) >= MAX_REJECTION_BYTES:
                response.body.close()
                break
    except ExchangeFailed as failure:
        raise exchange.tell_failed(str(failure), cause=failure.cause) from None
    reason = response.reason.decode("utf-8", "replace")
    return dress(exchange, Answer(response.status, reason, tuple(response.headers), bytes(body[:MAX_REJECTION_BYTES])))
