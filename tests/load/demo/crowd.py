"""The crowd from Python: crowd.c as a process that is listened to while it connects."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.load.generator import NotMeasured

SOURCE = Path(__file__).with_name("crowd.c")
#: One line holds all times of arrival.
MAX_LINE_BYTES = 16_777_216


@dataclass
class Crowd:
    """Subscribers of one edge, and how far they are."""

    port: int
    subscribers: int
    ready: int = 0
    refused: int = 0
    lost: int = 0
    received: int = 0
    repeated: int = 0
    arrivals: list[float] = field(default_factory=list)  # seconds of the monotonic clock
    _process: asyncio.subprocess.Process | None = None

    async def run(self, program: Path, words: Sequence[str], on_progress: Callable[[], None]) -> None:
        """Connect, and listen until `finish`; `on_progress` is called when numbers have changed.

        `words` are those behind the number of subscribers; see crowd.c. Cancelling ends the process.
        """
        self._process = process = await asyncio.create_subprocess_exec(
            program,
            str(self.port),
            str(self.subscribers),
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
        )
        try:
            assert process.stdout is not None
            while line := await process.stdout.readline():
                self._note(json.loads(line))
                on_progress()
            if status := await process.wait():
                raise NotMeasured(f"A load generator ended with status {status}; its words are above")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def finish(self) -> None:
        """Have `run` end, with all times of arrival."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _note(self, event: dict[str, Any]) -> None:
        for name in ("ready", "refused", "lost", "received", "repeated", "arrivals"):
            if name in event:
                setattr(self, name, event[name])


def shares(subscribers: int, crowds: int) -> list[int]:
    """Return `subscribers` in as many parts, as equal as they can be."""
    least, more = divmod(subscribers, crowds)
    return [least + (number < more) for number in range(crowds)]
