"""Who owns a connection, and remembers what it was told of it."""


class RecordingOwner:
    """A `SinkOwner`."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.overflows = 0
        self.losses = 0

    def on_overflow(self) -> None:
        self.overflows += 1

    def on_lost(self) -> None:
        self.losses += 1

    def on_text(self, text: str) -> None:
        self.texts.append(text)
