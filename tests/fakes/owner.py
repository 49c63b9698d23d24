"""Who owns a connection, and remembers what it was told of it."""


class RecordingOwner:
    """A `SinkOwner`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.received: list[bytes] = []
        self.violations: list[int] = []
        self.overflows = 0
        self.losses = 0

    def on_overflow(self) -> None:
        self.overflows += 1

    def on_lost(self) -> None:
        self.losses += 1

    def on_text(self, text: str) -> None:
        self.texts.append(text)

    def on_bytes(self, data: bytes) -> None:
        self.received.append(data)

    def on_violation(self, code: int, reason: str) -> None:
        self.violations.append(code)
