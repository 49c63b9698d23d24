"""Keeps calls going: claims what is due, makes many calls at once, writes down what came of them.

One turn is one visit to the database: results of the turn before are written in bulk, then rooms are filled. A call
that hangs holds one place of its endpoint and nothing else. Memory is bounded by what is claimed ahead.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.utils import timezone

from fanoutcloud.outbound.gate import GateRules
from publishing.webhooks.calls import Call, Destination, Outcome
from publishing.webhooks.claims import (
    Destinations,
    claim_calls,
    claim_probe,
    find_due_endpoints,
    find_next_due,
    release_calls,
)
from publishing.webhooks.database_thread import DatabaseThread
from publishing.webhooks.lanes import Lane, Turns
from publishing.webhooks.pace import release_rate
from publishing.webhooks.results import write_outcomes
from publishing.webhooks.serving import Serving

logger = logging.getLogger(__name__)

#: Calls at once in one worker.
PLACES = 200
#: While there is no work, the database is asked when something becomes due, and this often at least and at most:
#: other processes tell of what they make due, but may fail to.
IDLE_S = 0.2
SWEEP_S = 10.0
#: While there is, after so long at least, and at most; sooner when much is to be written or an endpoint runs dry.
BUSY_S = 0.02
#: News from outside end the shorter of the two, so often at most: who is quick waits little for the calls of others.
CALLED_EVERY_S = 0.05
MAX_BUSY_S = 0.2
ENOUGH_OUTCOMES = 500
#: After a failure of the database, it is let be for so long.
FAILED_S = 1.0
#: A worker that ends waits so long for calls under way; what is left is found again when its lease ends.
STOP_S = 5.0
#: Results that wait for the database; with more, no call is begun.
MAX_UNWRITTEN = 2_000

#: Endpoints whose speed is remembered while nothing is to be done for them.
MAX_LANES = 1_000


class CallSender(Protocol):
    """Makes one call; never raises."""

    async def send(self, call: Call) -> Outcome: ...


@dataclass(slots=True)
class _Turn:
    """What one visit to the database brought."""

    calls: list[tuple[Destination, list[Call]]]
    idle_s: float = IDLE_S  # how long nothing becomes due, if nothing is
    #: Endpoints that something is due for, and that take no more now: for so many seconds, as they said.
    held: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one visit is to bring: calls for so many `free` places, for each lane as many as it has room for."""

    free: int = 0
    rooms: Mapping[int, int] = field(default_factory=dict)
    busy: frozenset[int] = frozenset()  # endpoints whose calls wait or are under way here


class Pump:
    """One per worker; lives on one event loop."""

    def __init__(self, sender: CallSender, rules: GateRules, *, places: int = PLACES) -> None:
        self._sender = sender
        self._destinations = Destinations(rules)
        self._serving = Serving()
        self._turns = Turns(places)
        self._lanes: dict[int, Lane] = {}
        self._outcomes: list[Outcome] = []
        self._stale: list[Call] = []
        self._news = asyncio.Event()
        self._called = asyncio.Event()  # news from outside
        self._calm_until = 0.0
        self._idle_s = IDLE_S
        self._database = DatabaseThread("webhooks-database")
        self._calls: Counter[str] = Counter()

    def wake(self) -> None:
        """Look for work now."""
        self._news.set()
        self._called.set()

    def take_counts(self) -> Counter[str]:
        """Return what came of calls since this was last asked."""
        counts, self._calls = self._calls, Counter()
        return counts

    async def run(self, stopping: asyncio.Event) -> None:
        """Make calls until `stopping`; then wait a little for those under way, and give back the rest."""
        try:
            async with asyncio.TaskGroup() as tasks:
                while not stopping.is_set():
                    found = await self._turn()
                    self._begin(tasks)
                    await self._rest(busy=found)
                await self._wind_up()
        except* _TooLate:
            logger.warning("webhook_calls_left", extra={"calls": self._turns.running})
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of the database, and leave endpoints to other workers."""
        with suppress(DatabaseFailure):  # then their time ends by itself
            await self._database.run(self._serving.let_go)
        await self._database.close()

    async def drain(self) -> int:
        """Make all calls that are due now, and no others; return how many were made. For tests and errands."""
        made = 0
        async with asyncio.TaskGroup() as tasks:
            while await self._turn() or self._turns.running or self._outcomes:
                self._begin(tasks)
                while self._turns.running and not self._outcomes:
                    await self._rest(busy=True)
                made += len(self._outcomes)
        return made

    async def _turn(self) -> bool:
        """Write results, fill rooms; return whether there was anything to do."""
        self._news.clear()
        self._called.clear()
        outcomes, self._outcomes = self._outcomes, []
        stale, self._stale = self._stale, []
        now = time.monotonic()
        wanted = _Wanted(
            free=self._turns.places - self._turns.running,
            rooms={endpoint_id: lane.room_now(now) for endpoint_id, lane in self._lanes.items()},
            busy=frozenset(endpoint_id for endpoint_id, lane in self._lanes.items() if not lane.is_over),
        )
        try:
            turn = await self._database.run(lambda: self._visit(outcomes, stale, wanted))
        except DatabaseFailure as error:
            logger.warning("webhook_database_failed", extra={"why": str(error)[:200]})
            self._outcomes, self._stale = [*outcomes, *self._outcomes], [*stale, *self._stale]
            await self._database.let_go()  # it may be the connection alone
            await asyncio.sleep(FAILED_S)
            self._idle_s = IDLE_S
            return False
        for endpoint_id in wanted.rooms.keys() & self._lanes.keys():  # one may have been forgotten meanwhile
            self._lanes[endpoint_id].has_more &= wanted.free <= 0
        for destination, calls in turn.calls:
            lane = self._lanes.setdefault(destination.endpoint_id, Lane(destination))
            lane.fill(destination, calls, time.monotonic())
            self._turns.offer(lane)
        paces = {one: lane.pace.wait_s(now) for one, lane in self._lanes.items() if one in turn.held}
        waits_s = [max(wait_s, paces.get(one, 0.0)) for one, wait_s in turn.held.items()]
        self._idle_s = min(max(min([turn.idle_s, *waits_s]), IDLE_S), SWEEP_S)
        return bool(outcomes or turn.calls)

    def _visit(self, outcomes: list[Outcome], stale: list[Call], wanted: "_Wanted") -> _Turn:
        """Everything that one turn wants of the database; in its thread."""
        if outcomes:
            write_outcomes(outcomes)
        if stale:
            release_calls(stale)
        now = timezone.now()
        due = find_due_endpoints(now, self._serving.name) if wanted.free > 0 else []
        ours = self._serving.take(due, busy=wanted.busy, most_new=wanted.free, now=now)
        claimed: list[tuple[Destination, list[Call]]] = []
        held: dict[int, float] = {}
        for endpoint in due:
            if endpoint.pk not in ours:
                continue
            destination = self._destinations.read(endpoint, now)
            room = _room_of(destination, wanted.rooms.get(endpoint.pk))
            wait_s = endpoint.takes.wait_s(endpoint.last_attempt_at, now, minute_s=60.0 * settings.WEBHOOK_DELAY_FACTOR)
            if destination.is_probed:
                room = 1 if claim_probe(endpoint, now) else 0
            elif not room or wait_s:
                room, held[endpoint.pk] = 0, wait_s
            if room:
                calls = claim_calls(destination, room, monotonic=time.monotonic())
                if calls:
                    claimed.append((destination, calls))
        if outcomes or claimed or self._turns.running or not wanted.free:
            return _Turn(claimed)
        next_due = find_next_due(self._serving.name, besides=held)
        return _Turn(claimed, SWEEP_S if next_due is None else (next_due - now).total_seconds(), held)

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        while (begun := self._next()) is not None:
            tasks.create_task(self._keep_calling(*begun))

    def _next(self) -> tuple[Lane, Call] | None:
        """Return the next call to make; None: there is none, or no place for it."""
        while len(self._outcomes) < MAX_UNWRITTEN and (begun := self._turns.next_call()) is not None:
            lane, call = begun
            if call.start_by >= time.monotonic():
                return begun
            lane.running -= 1
            lane.ahead = lane.window
            self._turns.ended(lane)
            self._stale.append(call)
        return None

    async def _keep_calling(self, lane: Lane, call: Call) -> None:
        """Hold one place: make a call, then the one whose turn it is, until there is none."""
        begun: tuple[Lane, Call] | None = (lane, call)
        while begun is not None:
            await self._call(*begun)
            begun = self._next()

    async def _call(self, lane: Lane, call: Call) -> None:
        outcome = await self._sender.send(call)
        lane.ended(outcome)
        self._outcomes.append(outcome)
        self._calls[outcome.verdict.cause or "delivered"] += 1
        if lane.is_to_rest and lane.queue:
            self._stale += lane.queue
            lane.queue.clear()
        self._turns.ended(lane)
        if lane.is_over and len(self._lanes) > MAX_LANES:
            self._lanes.pop(call.destination.endpoint_id, None)
        if lane.is_low or len(self._outcomes) >= ENOUGH_OUTCOMES or not self._turns.running:
            self._news.set()

    async def _rest(self, *, busy: bool) -> None:
        """Wait until a visit to the database is worth it."""
        if not self._turns.running and (busy or self._outcomes):
            return
        if self._turns.running:
            await self._gather()
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_BUSY_S if self._turns.running else self._idle_s):
                await self._news.wait()

    async def _gather(self) -> None:
        """Let results come together for a moment."""
        now = time.monotonic()
        if now < self._calm_until:
            await asyncio.sleep(BUSY_S)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(BUSY_S):
                await self._called.wait()
                self._calm_until = now + CALLED_EVERY_S

    async def _wind_up(self) -> None:
        """End: give back what was not begun, wait a little for what was, write it down."""
        for lane in self._lanes.values():
            self._stale += lane.queue
            lane.queue.clear()
        ends_at = time.monotonic() + STOP_S
        while self._turns.running and time.monotonic() < ends_at:
            await self._rest(busy=True)
        outcomes, stale = self._outcomes, self._stale
        await self._database.run(lambda: self._visit(outcomes, stale, _Wanted()))
        if self._turns.running:
            raise _TooLate


def _room_of(destination: Destination, of_lane: int | None) -> int:
    """Return how many calls may be claimed for an endpoint: a few if it was let go just now, whatever its lane says."""
    room = Lane(destination, takes=destination.takes).window if of_lane is None else of_lane
    if destination.takes.per_minute is not None:
        room = min(room, 1)
    rate = release_rate(time.monotonic(), destination.released_at, destination.release_step_s)
    return room if rate is None else min(room, max(1, int(rate * destination.release_step_s)))


class _TooLate(Exception):
    """Calls are under way that are waited for no longer: ends their tasks."""
