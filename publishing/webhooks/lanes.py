"""One endpoint in a worker: what was claimed for it, how many calls at once it takes, how fast it is. Pure."""

from collections import Counter, deque
from dataclasses import dataclass, field

from publishing.webhooks.calls import Call, Destination, Outcome
from publishing.webhooks.failing import FAILURES_IN_ROW
from publishing.webhooks.pace import ALL, Pace, Takes
from publishing.webhooks.schedule import SLOWS

#: Of one worker's places, those that one realm may have.
REALM_SHARE = 0.2
#: Claimed ahead for an endpoint: twice as many each time it is through with all of them within this.
AHEAD_S = 1.0
MAX_AHEAD = 500
MAX_EVENTS_AHEAD = 5_000  # in batches
#: Nor more than about so much of bodies, but as many as are made at once.
MAX_AHEAD_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class Lane:
    """`takes` is how much the endpoint takes: less when it says that it has too much to do.

    What it came to is written with the results, and read again with what is claimed: here it only follows sooner.
    """

    destination: Destination
    queue: deque[Call] = field(default_factory=deque)
    running: int = 0
    takes: Takes = ALL
    ahead: int = ALL.at_once
    failures_in_row: int = 0
    filled_at: float = 0.0
    has_more: bool = False  # in the database, when it was last filled
    is_offered: bool = False  # stands in a line for its turn
    pace: Pace = field(default_factory=Pace)

    def fill(self, destination: Destination, calls: list[Call], now: float) -> None:
        """Go on with the endpoint as it is now, and with more calls. `now` is monotonic."""
        self.has_more = len(calls) >= (1 if destination.is_ordered else self.room)
        self.destination, self.takes = destination, destination.takes
        self.pace.released_at, self.pace.step_s = destination.released_at, destination.release_step_s
        self.pace.took(len(calls))
        self.failures_in_row = 0
        if destination.is_probed:
            self.ahead = 1
        elif not self.queue:
            is_quick = now - self.filled_at < AHEAD_S
            self.ahead = self.ahead * 2 if is_quick else max(self.window, self.ahead // 2)
        self.ahead = min(self.ahead, max(self.window, _most_ahead(calls)))
        self.filled_at = now
        self.queue.extend(calls)

    @property
    def window(self) -> int:
        """How many calls at once it takes now."""
        return 1 if self.destination.is_probed else self.takes.at_once

    @property
    def room(self) -> int:
        """How many calls may be claimed for it now: none while half of what was waits, since many at once are cheap."""
        if self.takes.per_minute is not None:
            return 0 if self.running or self.queue else 1
        if self.destination.is_ordered:
            return max(0, self.window - self.running - len(self.queue))
        if len(self.queue) > self.ahead // 2:
            return 0
        return max(0, max(self.ahead, self.window) - self.running - len(self.queue))

    def room_now(self, now: float) -> int:
        """How many calls may be claimed at the pace that the endpoint takes. `now` is monotonic."""
        allowed = self.pace.allowed(now)
        return self.room if allowed is None else min(self.room, allowed)

    @property
    def may_begin(self) -> bool:
        """Whether a call that waits can be begun."""
        return bool(self.queue) and self.running < self.window

    def ended(self, outcome: Outcome) -> None:
        """Know how a call went."""
        self.running -= 1
        if outcome.verdict.is_delivered:
            self.failures_in_row = 0
            self.takes = self.takes.faster()
            return
        self.failures_in_row += 1
        self.ahead = self.window
        if outcome.verdict.status in SLOWS:
            self.takes = self.takes.slower(failures_in_row=self.failures_in_row)

    @property
    def is_low(self) -> bool:
        """Whether more is to be claimed before it runs dry."""
        return self.has_more and self.room > 0

    @property
    def is_to_rest(self) -> bool:
        """Whether what waits is better given back: the endpoint fails, or takes less than one call a second."""
        is_too_much = self.takes.per_minute is not None and self.failures_in_row > 0
        return is_too_much or self.failures_in_row >= FAILURES_IN_ROW

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it here."""
        return not self.queue and not self.running


def _most_ahead(calls: list[Call]) -> int:
    """Return how many calls such as these may be claimed ahead, so that memory is bounded."""
    events = sum(len(call.rows) for call in calls) or 1
    size = sum(len(call.body) for call in calls) or 1
    return min(MAX_AHEAD, MAX_EVENTS_AHEAD * len(calls) // events, MAX_AHEAD_BYTES * len(calls) // size)


class Turns:
    """Whose turn it is: realms one after another, and each one's lanes; none beyond its window, no realm beyond its
    share. A place for one call is what each turn costs, so nobody is owed anything.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self.running = 0
        self._share = max(1, int(places * REALM_SHARE))
        self._of_realm: Counter[str] = Counter()
        self._line: deque[str] = deque()  # realms that may begin a call, each once
        self._standing: set[str] = set()
        self._lanes: dict[str, deque[Lane]] = {}  # of each realm, those that have something to begin

    def offer(self, lane: Lane) -> None:
        """Have a lane stand in line if it has something to begin. Idempotent."""
        if lane.may_begin and not lane.is_offered:
            lane.is_offered = True
            self._lanes.setdefault(lane.destination.realm, deque()).append(lane)
        self._stand(lane.destination.realm)

    def next_call(self) -> tuple[Lane, Call] | None:
        """Return the call to begin now, counted as running; None: none may begin."""
        while self._line and self.running < self.places:
            realm = self._line.popleft()
            self._standing.discard(realm)
            lane = self._next_lane(realm)
            if lane is None:
                continue
            self._of_realm[realm] += 1
            self.running += 1
            lane.running += 1
            call = lane.queue.popleft()
            self.offer(lane)
            return lane, call
        return None

    def ended(self, lane: Lane) -> None:
        """Count one call of a lane out, once the lane itself knows; what it held up may go on."""
        realm = lane.destination.realm
        self.running -= 1
        self._of_realm[realm] -= 1
        if not self._of_realm[realm]:
            del self._of_realm[realm]
        self.offer(lane)

    def _stand(self, realm: str) -> None:
        """Have a realm stand in line, if it may begin something."""
        if realm in self._lanes and realm not in self._standing and self._of_realm[realm] < self._share:
            self._standing.add(realm)
            self._line.append(realm)

    def _next_lane(self, realm: str) -> Lane | None:
        """Take the lane of a realm out whose turn it is."""
        lanes = self._lanes.get(realm, deque())
        found = None
        while lanes and found is None:
            lane = lanes.popleft()
            lane.is_offered = False
            found = lane if lane.may_begin else None
        if not lanes:
            self._lanes.pop(realm, None)
        return found
