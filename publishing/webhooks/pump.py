"""Keeps calls going: claims what is due, makes many calls at once, writes down what came of them.

One turn is one visit to the database: results of the turn before are written in bulk, then rooms are filled. A call
that hangs holds one place of its endpoint and nothing else. Memory is bounded by what is claimed ahead.
"""

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

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

logger = logging.getLogger(__name__)

#: Calls at once in one worker.
PLACES = 200
#: While there is no work, the database is asked when something becomes due, and this often at least and at most:
#: other processes tell of what they make due, but may fail to.
IDLE_S = 0.2
SWEEP_S = 10.0
#: While there is, after so long at least, and at most; sooner when much is to be written or an endpoint runs dry.
BUSY_S = 0.02
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
    held: frozenset[int] = frozenset()  # endpoints that something is due for, and that take no more now


class Pump:
    """One per worker; lives on one event loop."""

    def __init__(self, sender: CallSender, rules: GateRules, *, places: int = PLACES) -> None:
        self._sender = sender
        self._destinations = Destinations(rules)
        self._turns = Turns(places)
        self._lanes: dict[int, Lane] = {}
        self._outcomes: list[Outcome] = []
        self._stale: list[Call] = []
        self._news = asyncio.Event()
        self._idle_s = IDLE_S
        self._database = DatabaseThread("webhooks-database")
        self._calls: Counter[str] = Counter()

    def wake(self) -> None:
        """Look for work now."""
        self._news.set()

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
        """Let go of the database."""
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
        outcomes, self._outcomes = self._outcomes, []
        stale, self._stale = self._stale, []
        is_free = self._turns.running < self._turns.places
        now = time.monotonic()
        rooms = {endpoint_id: lane.room_now(now) for endpoint_id, lane in self._lanes.items()} if is_free else {}
        try:
            turn = await self._database.run(lambda: self._visit(outcomes, stale, rooms if is_free else None))
        except DatabaseFailure as error:
            logger.warning("webhook_database_failed", extra={"why": str(error)[:200]})
            self._outcomes, self._stale = [*outcomes, *self._outcomes], [*stale, *self._stale]
            await self._database.let_go()  # it may be the connection alone
            await asyncio.sleep(FAILED_S)
            self._idle_s = IDLE_S
            return False
        for endpoint_id in rooms.keys() & self._lanes.keys():  # one may have been forgotten meanwhile
            self._lanes[endpoint_id].has_more = False
        for destination, calls in turn.calls:
            lane = self._lanes.setdefault(destination.endpoint_id, Lane(destination))
            lane.fill(destination, calls, time.monotonic())
            self._turns.offer(lane)
        waits_s = [self._lanes[one].pace.wait_s(now) for one in turn.held if one in self._lanes]
        self._idle_s = min(max(min([turn.idle_s, *waits_s]), IDLE_S), SWEEP_S)
        return bool(outcomes or turn.calls)

    def _visit(self, outcomes: list[Outcome], stale: list[Call], rooms: dict[int, int] | None) -> _Turn:
        """Everything that one turn wants of the database; in its thread."""
        if outcomes:
            write_outcomes(outcomes)
        if stale:
            release_calls(stale)
        claimed: list[tuple[Destination, list[Call]]] = []
        if rooms is None:
            return _Turn(claimed)
        now, held = timezone.now(), set[int]()
        for endpoint in find_due_endpoints(now):
            destination = self._destinations.read(endpoint, now)
            room = _room_of(destination, rooms.get(endpoint.pk))
            if destination.is_probed:
                room = 1 if claim_probe(endpoint, now) else 0
            elif not room:
                held.add(endpoint.pk)
            if room:
                calls = claim_calls(destination, room, monotonic=time.monotonic())
                if calls:
                    claimed.append((destination, calls))
        if outcomes or claimed or self._turns.running:
            return _Turn(claimed)
        next_due = find_next_due(besides=held)
        return _Turn(claimed, SWEEP_S if next_due is None else (next_due - now).total_seconds(), frozenset(held))

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
            await asyncio.sleep(BUSY_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(MAX_BUSY_S if self._turns.running else self._idle_s):
                await self._news.wait()

    async def _wind_up(self) -> None:
        """End: give back what was not begun, wait a little for what was, write it down."""
        for lane in self._lanes.values():
            self._stale += lane.queue
            lane.queue.clear()
        ends_at = time.monotonic() + STOP_S
        while self._turns.running and time.monotonic() < ends_at:
            await self._rest(busy=True)
        outcomes, stale = self._outcomes, self._stale
        await self._database.run(lambda: self._visit(outcomes, stale, None))
        if self._turns.running:
            raise _TooLate


def _room_of(destination: Destination, of_lane: int | None) -> int:
    """Return how many calls may be claimed for an endpoint: a few if it was let go just now, whatever its lane says."""
    room = Lane(destination).window if of_lane is None else of_lane
    rate = release_rate(time.monotonic(), destination.released_at, destination.release_step_s)
    return room if rate is None else min(room, max(1, int(rate * destination.release_step_s)))


class _TooLate(Exception):
    """Calls are under way that are waited for no longer: ends their tasks."""
