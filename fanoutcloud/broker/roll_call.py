"""Questions to all edges: who is there, what each answers, and who did not.

Every edge says once a second that it is there; who has not for `LEASE_S` counts as gone. A question goes to all of them
and is over as soon as each one known has answered, or nobody has for `QUIET_S`; whoever is missing then is named.
Questions and answers are announcements, so a lost one shows as a missing edge and never as a wrong answer.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

ROLL_TOPIC = "roll"
ASK_TOPIC = "ask"
BEAT_S = 1.0
LEASE_S = 3.5
#: An answer is computed without waiting; with a busy loop on the other side, and the broker between, this is plenty.
QUIET_S = 0.1
MAX_WAIT_S = 0.5
#: More questions at once are refused.
MAX_QUESTIONS = 200


class _Beat(msgspec.Struct, array_like=True):
    edge: str
    is_leaving: bool = False
    wants_beats: bool = False


class _Question(msgspec.Struct, array_like=True):
    asker: str
    number: int
    content: bytes


class _Answer(msgspec.Struct, array_like=True):
    edge: str
    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Answers:
    """What edges answered, by their names, and who did not."""

    by_edge: dict[str, bytes]
    missing: tuple[str, ...]


class _Asking:
    """One question under way."""

    __slots__ = ("by_edge", "changed", "until", "waiting")

    def __init__(self, waiting: set[str], until: Callable[[bytes], bool] | None) -> None:
        self.by_edge: dict[str, bytes] = {}
        self.waiting = waiting
        self.until = until
        self.changed = asyncio.Event()


class RollCall:
    """One process's part: answers questions of others with `answer`, and asks. `run` must be running."""

    def __init__(self, broker: Broker, clock: Clock, answer: Callable[[bytes], bytes]) -> None:
        """`answer` does not wait; what it raises is logged, and the asker misses this edge."""
        self.edge = secrets.token_hex(4)
        self._broker = broker
        self._clock = clock
        self._answer = answer
        self._seen_at: dict[str, float] = {}
        self._askings: dict[int, _Asking] = {}
        self._numbers = itertools.count(1)
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def is_running(self) -> bool:
        """Whether it takes part."""
        return self._tasks is not None

    def present(self) -> list[str]:
        """Return the edges that are there now, as far as is known; this one always is."""
        limit = self._clock.monotonic() - LEASE_S
        for edge in [edge for edge, seen_at in self._seen_at.items() if seen_at < limit]:
            del self._seen_at[edge]
        return sorted({self.edge, *self._seen_at})

    async def run(self) -> None:
        """Take part until cancelled."""
        unlisten = [
            self._broker.listen(ROLL_TOPIC, self._on_beat),
            self._broker.listen(ASK_TOPIC, self._on_question),
            self._broker.listen(_topic(self.edge), self._on_answer),
        ]
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._say(_Beat(self.edge, wants_beats=True))
                while True:
                    await asyncio.sleep(BEAT_S)
                    await self._say(_Beat(self.edge))
        finally:
            self._tasks = None
            for end in unlisten:
                end()

    async def leave(self) -> None:
        """Tell the others that this edge ends, so that nobody waits for it."""
        await self._say(_Beat(self.edge, is_leaving=True))

    async def ask(self, content: bytes, *, until: Callable[[bytes], bool] | None = None) -> Answers:
        """Return what all edges answer, this one too; or what is there once `until` holds of an answer.

        Raises:
            Unavailable: the broker does not answer, or too many questions are under way.
        """
        if len(self._askings) >= MAX_QUESTIONS:
            raise Unavailable("too many questions are under way", retry_after_s=1)
        number, asking = next(self._numbers), _Asking(set(self.present()), until)
        self._askings[number] = asking
        try:
            await self._broker.announce(ASK_TOPIC, _encode(_Question(self.edge, number, content)))
            await self._wait(asking)
        finally:
            del self._askings[number]
        return Answers(asking.by_edge, tuple(sorted(asking.waiting)))

    async def _wait(self, asking: _Asking) -> None:
        """Return when all have answered, or when nobody has for `QUIET_S`.

        That is counted in two parts: what arrived while this process was busy is seen before the second one is over.
        """
        loop = asyncio.get_running_loop()
        ends_at, silent = loop.time() + MAX_WAIT_S, 0
        while asking.waiting and silent < 2 and loop.time() < ends_at:
            asking.changed.clear()
            try:
                async with asyncio.timeout(QUIET_S / 2):
                    await asking.changed.wait()
                silent = 0
            except TimeoutError:
                silent += 1

    async def _say(self, beat: _Beat) -> None:
        try:
            await self._broker.announce(ROLL_TOPIC, _encode(beat))
        except Unavailable:
            return  # nobody can ask now, either

    def _on_beat(self, payload: bytes) -> None:
        beat = _beats.decode(payload)
        if beat.is_leaving:
            self._seen_at.pop(beat.edge, None)
        else:
            self._seen_at[beat.edge] = self._clock.monotonic()
        if beat.wants_beats and beat.edge != self.edge and self._tasks is not None:
            self._tasks.create_task(self._say(_Beat(self.edge)))

    def _on_question(self, payload: bytes) -> None:
        question = _questions.decode(payload)
        if self._tasks is not None:
            content = self._answer(question.content)
            self._tasks.create_task(self._reply(question, content))

    async def _reply(self, question: _Question, content: bytes) -> None:
        try:
            answer = _encode(_Answer(self.edge, question.number, content))
            await self._broker.announce(_topic(question.asker), answer)
        except Unavailable:
            return  # the asker sees that this edge is missing

    def _on_answer(self, payload: bytes) -> None:
        answer = _answers.decode(payload)
        asking = self._askings.get(answer.number)
        if asking is not None:
            asking.by_edge[answer.edge] = answer.content
            asking.waiting.discard(answer.edge)
            if asking.until is not None and asking.until(answer.content):
                asking.waiting.clear()
            asking.changed.set()


def _topic(edge: str) -> str:
    return f"answers:{edge}"


_encode = msgspec.msgpack.Encoder().encode
_beats = msgspec.msgpack.Decoder(_Beat)
_questions = msgspec.msgpack.Decoder(_Question)
_answers = msgspec.msgpack.Decoder(_Answer)
