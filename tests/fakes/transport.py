"""A socket that keeps what is written to it, with the flow control of asyncio's transports."""

import asyncio


class FakeTransport(asyncio.Transport):
    """Sends nothing until `send_out`, so that what is unsent is up to the test."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed_by: str | None = None
        self._unsent = 0
        self._high = 64 * 1024
        self._is_paused = False
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed_by == "lost":
            raise RuntimeError("the transport is closed")  # as uvloop does
        if self.closed_by is None:
            self.written += bytes(data)
            self._unsent += len(data)
            self._pause_or_resume()

    def get_write_buffer_size(self) -> int:
        return self._unsent

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high
        self._pause_or_resume()

    def send_out(self) -> None:
        """Have the peer take everything."""
        self._unsent = 0
        self._pause_or_resume()

    def close(self) -> None:
        self.closed_by = self.closed_by or "close"

    def abort(self) -> None:
        self.closed_by = "abort"

    def is_closing(self) -> bool:
        return self.closed_by is not None

    def lose(self) -> None:
        """Be closed for good, by whichever side."""
        self.get_protocol().connection_lost(None)
        self.closed_by = "lost"

    def _pause_or_resume(self) -> None:
        protocol = self.get_protocol()
        if self._unsent > self._high and not self._is_paused:
            self._is_paused = True
            protocol.pause_writing()
        elif self._unsent <= self._high // 4 and self._is_paused:
            self._is_paused = False
            protocol.resume_writing()
