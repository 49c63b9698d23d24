"""How bytes are framed on a connection: WebSocket frames (RFC 6455 §5.2) and HTTP chunks (RFC 9112 §7.1)."""

OP_TEXT = 0x1
OP_BINARY = 0x2
OP_CLOSE = 0x8
#: Beside the opcode: the message is compressed (RFC 7692 §6).
RSV1 = 0x40
_FIN = 0x80
_SHORT_TEXT_HEADS = [bytes((_FIN | OP_TEXT, size)) for size in range(126)]

LAST_CHUNK = b"0\r\n\r\n"


def websocket_frame(payload: bytes, opcode: int = OP_TEXT) -> bytes:
    """Return one unfragmented, unmasked frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        return (_SHORT_TEXT_HEADS[size] if opcode == OP_TEXT else bytes((_FIN | opcode, size))) + payload
    if size < 65_536:
        return bytes((_FIN | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame; the reason is cut to the 123 bytes that fit."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return websocket_frame(code.to_bytes(2, "big") + text, OP_CLOSE)


def http_chunk(content: bytes) -> bytes:
    """Return one chunk of a chunked body; nothing for nothing, since an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(content), content) if content else b""


def unframed(content: bytes) -> bytes:
    """Return the content as it is: for servers that frame by themselves."""
    return content
