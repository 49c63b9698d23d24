"""A Bayeux client as another edge needs to know it: its channels with their positions, and what is not acknowledged."""

import msgspec


class SessionState(msgspec.Struct, array_like=True, frozen=True):
    """What one edge hands over to another. Bytes are messages as they go out."""

    client_id: str
    name: str  # of the connection, on pages
    address: str
    connected_at: float
    grant: bytes
    is_connected: bool
    is_numbering: bool
    positions: list[tuple[str, str, int]]  # channel, epoch, offset
    queue: list[bytes]
    lost: list[str]
    #: The connect that was answered last: its id, how long ago, and what went with it.
    answered: tuple[bytes | None, float, list[bytes]]


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(SessionState)


def pack_state(state: SessionState) -> bytes:
    """Return the state as bytes for another process."""
    return _packer.encode(state)


def unpack_state(packed: bytes) -> SessionState:
    """Return the state that was packed."""
    return _unpacker.decode(packed)
