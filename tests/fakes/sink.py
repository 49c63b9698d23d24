"""A connection that keeps what is written to it, and is as slow as a test wants it."""

import asyncio


class RecordingSink:
    """A `Sink`. `late` holds what was written after the end, which a socket would drop or choke on."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.late: list[bytes] = []
        self.closed: tuple[int, str] | None = None
        self.unsent = 0
        self._room = asyncio.Event()

    def write(self, frame: bytes) -> None:
        if not frame:
            return
        if self.closed is None:
            self.frames.append(frame)
        else:
            self.late.append(frame)

    def unsent_bytes(self) -> int:
        return self.unsent

    async def drained(self) -> None:
        while self.unsent:
            self._room.clear()
            await self._room.wait()

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)

    def read_all(self) -> None:
        """Be read by the client: nothing is unsent any more."""
        self.unsent = 0
        self._room.set()
