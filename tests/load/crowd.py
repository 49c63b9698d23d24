"""The crowd from Python: crowd.c as a process that is listened to while it connects, and from round to round."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from tests.load.generator import NotMeasured, build

SOURCE = Path(__file__).with_name("crowd.c")
#: One line holds all times of arrival.
MAX_LINE_BYTES = 16_777_216
ROUND_TIMEOUT_S = 30.0
#: Connections that are being opened at once, over all crowds.
CONNECTS_AT_ONCE = 512
SETTLE_S = 0.3


@dataclass(frozen=True, slots=True)
class Round:
    """What a crowd got since the round before. Times are in seconds of the monotonic clock."""

    received: int  # subscribers that got something
    repeated: int  # items beyond their first ones
    least: int  # items that the one with the fewest got
    most: int
    last_at: float
    arrivals: list[float]  # of their first items

    @property
    def items(self) -> int:
        """Return how many items came, over all subscribers."""
        return self.received + self.repeated


@dataclass
class Crowd:
    """Subscribers of one edge, and how far they are. `descriptors`: of connections that are there; `port` is 0 then."""

    port: int
    subscribers: int
    descriptors: Sequence[int] = ()
    ready: int = 0
    refused: int = 0
    lost: int = 0
    received: int = 0
    repeated: int = 0
    arrivals: list[float] = field(default_factory=list)  # of the last round
    _process: asyncio.subprocess.Process | None = None
    _round: "asyncio.Future[Round] | None" = None

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
            pass_fds=self.descriptors,
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

    async def end_round(self) -> Round:
        """Return what came since the round before; `run` must be under way."""
        assert self._process is not None, "not running"
        assert self._process.stdin is not None, "it was asked for"
        self._round = asyncio.get_running_loop().create_future()
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(ROUND_TIMEOUT_S):
            ended = await self._round
        self.received = self.repeated = 0  # nothing of the next one has come yet, as far as is known
        return ended

    def finish(self) -> None:
        """Have `run` end, with all times of arrival."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _note(self, event: dict[str, Any]) -> None:
        for name in ("ready", "refused", "lost", "received", "repeated", "arrivals"):
            if name in event:
                setattr(self, name, event[name])
        if event["event"] == "round" and self._round is not None and not self._round.done():
            self._round.set_result(Round(**{field.name: event[field.name] for field in fields(Round)}))


def shares(subscribers: int, crowds: int) -> list[int]:
    """Return `subscribers` in as many parts, as equal as they can be."""
    least, more = divmod(subscribers, crowds)
    return [least + (number < more) for number in range(crowds)]


@contextlib.asynccontextmanager
async def connected(crowds: Sequence[Crowd], request: Path, *, ready: str, marker: str) -> AsyncIterator[None]:
    """Have all crowds connected and listening until the block ends."""
    program, changed = await asyncio.to_thread(build, SOURCE), asyncio.Event()
    words = [str(request), ready, marker, str(max(8, CONNECTS_AT_ONCE // len(crowds)))]
    try:
        async with asyncio.TaskGroup() as tasks:
            for crowd in crowds:
                tasks.create_task(crowd.run(program, words, changed.set))
            try:
                await all_ready(crowds, changed)
                yield
            finally:
                for crowd in crowds:
                    crowd.finish()
    except* NotMeasured as problems:
        raise NotMeasured(str(problems.exceptions[0])) from None


async def all_ready(crowds: Sequence[Crowd], changed: asyncio.Event, *, timeout_s: float = 300.0) -> None:
    """Return when every subscriber is ready; raise NotMeasured if one is refused or time is up."""
    wanted = sum(crowd.subscribers for crowd in crowds)
    try:
        async with asyncio.timeout(timeout_s):
            while sum(crowd.ready for crowd in crowds) < wanted:
                if refused := sum(crowd.refused for crowd in crowds):
                    raise NotMeasured(f"{refused:,} subscribers were refused")
                changed.clear()
                await changed.wait()
    except TimeoutError:
        ready = sum(crowd.ready for crowd in crowds)
        raise NotMeasured(f"{ready:,} of {wanted:,} were connected within {timeout_s:.0f} s") from None


async def next_round(crowds: Sequence[Crowd], items: int, *, timeout_s: float = 30.0) -> list[Round]:
    """Return what all crowds got, once they have `items` of this round together, or time is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while sum(crowd.received + crowd.repeated for crowd in crowds) < items:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)
    await asyncio.sleep(SETTLE_S)  # what comes twice comes now
    return [await crowd.end_round() for crowd in crowds]
