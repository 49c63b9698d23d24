"""What the kernel knows of a connection's TCP: asked when somebody looks, so that sending costs nothing for it.

Source: tcp(7), TCP_INFO; `struct tcp_info` in linux/tcp.h, which only ever grows at its end.
"""

import socket
import struct
from typing import Any, Protocol, runtime_checkable

#: Of `struct tcp_info`: smoothed round trip in microseconds, and bytes that the other end has acknowledged.
_ROUND_TRIP_AT = 68
_ACKED_AT = 120
_SIZE = 128
_TCP_INFO = getattr(socket, "TCP_INFO", None)  # Linux


@runtime_checkable
class OverSocket(Protocol):
    """A sink that writes to a transport of ours."""

    @property
    def transport(self) -> Any: ...  # Any: asyncio's transports, uvloop's among them


def read_counters(sink: object) -> tuple[int | None, float | None]:
    """Return bytes acknowledged since the connection was opened, and its round trip in seconds; None: not known."""
    if _TCP_INFO is None or not isinstance(sink, OverSocket):
        return None, None
    connection = sink.transport.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return None, None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:  # it has just been closed
        return None, None
    if len(told) < _SIZE:
        return None, None
    [round_trip_us] = struct.unpack_from("=I", told, _ROUND_TRIP_AT)
    [acked_bytes] = struct.unpack_from("=Q", told, _ACKED_AT)
    return acked_bytes, round_trip_us / 1e6
