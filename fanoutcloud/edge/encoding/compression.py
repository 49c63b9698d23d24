"""Compression of WebSocket messages (RFC 7692), once for all subscribers: no state is kept for a connection.

Both sides begin each message with an empty window (`…_no_context_takeover`), so the same compressed bytes are right for
everybody who has agreed to that. Source: docs/decisions/0007-shared-compression.md.
"""

import zlib
from collections.abc import Iterable

from websockets.exceptions import InvalidHeader, NegotiationError
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.headers import parse_extension

from fanoutcloud.edge.encoding.frames import OP_TEXT, RSV1, websocket_frame

#: Below this, compressing saves less than a packet's worth and costs as much as writing to many subscribers.
COMPRESS_OVER_BYTES = 1024
#: Above this it would hold the event loop up for milliseconds.
COMPRESS_UP_TO_BYTES = 262_144
_WINDOW_BITS = 15
_LEVEL = 6
#: What a flush ends with, and a message leaves out (RFC 7692 §7.2.1).
_TAIL = b"\x00\x00\xff\xff"

ANSWER = (b"Sec-WebSocket-Extensions", b"permessage-deflate; server_no_context_takeover; client_no_context_takeover")
_AGREED = [("server_no_context_takeover", None), ("client_no_context_takeover", None)]
_factory = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)


def accepts_compression(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether the client's handshake offers what `ANSWER` says, or something that it may be answered with.

    An offer that asks for a smaller window of ours is passed over: the bytes are the same for all.
    """
    values = [value.decode("latin-1") for name, value in headers if name == b"sec-websocket-extensions"]
    try:
        offers = [offer for value in values for offer in parse_extension(value)]
    except InvalidHeader:
        return False  # a broken offer is none
    return any(name == _factory.name and _is_acceptable(list(parameters)) for name, parameters in offers)


def _is_acceptable(parameters: list[tuple[str, str | None]]) -> bool:
    try:
        agreed, _ = _factory.process_request_params(parameters, [])
    except NegotiationError:
        return False
    asked = [one for one in agreed if one[0] != "client_max_window_bits"]  # theirs to keep to, and no harm to us
    return asked == _AGREED


def make_decoder() -> PerMessageDeflate:
    """Return what reads a client's compressed messages; between messages it holds no window."""
    return PerMessageDeflate(
        remote_no_context_takeover=True,
        local_no_context_takeover=True,
        remote_max_window_bits=_WINDOW_BITS,
        local_max_window_bits=_WINDOW_BITS,
    )


def deflated_frame(message: bytes, opcode: int = OP_TEXT) -> bytes:
    """Return the frame of a message, compressed where that is worth it."""
    if COMPRESS_OVER_BYTES < len(message) <= COMPRESS_UP_TO_BYTES:
        compressor = zlib.compressobj(_LEVEL, wbits=-_WINDOW_BITS)
        deflated = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        if len(deflated) - len(_TAIL) < len(message):
            return websocket_frame(deflated.removesuffix(_TAIL), RSV1 | opcode)
    return websocket_frame(message, opcode)
