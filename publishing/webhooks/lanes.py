"""One endpoint in a worker: what was claimed for it, how many calls at once it takes, how fast it is. Pure."""

from collections import deque
from dataclasses import dataclass, field

from publishing.webhooks.calls import Call, Destination, Outcome
from publishing.webhooks.health import FAILURES_BEFORE_REST
from publishing.webhooks.pace import Pace
from publishing.webhooks.schedule import SLOWS

#: Calls at once to one endpoint.
MAX_WINDOW = 10
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
    """`window` is how many calls at once the endpoint takes: halved when it says that it has too much to do.

    When one at a time is too much, its pace is halved.
    """

    destination: Destination
    queue: deque[Call] = field(default_factory=deque)
    running: int = 0
    window: int = MAX_WINDOW
    ahead: int = MAX_WINDOW
    failures_in_row: int = 0
    filled_at: float = 0.0
    has_more: bool = False  # in the database, when it was last filled
    is_offered: bool = False  # stands in a line for its turn
    pace: Pace = field(default_factory=Pace)

    def fill(self, destination: Destination, calls: list[Call], now: float) -> None:
        """Go on with the endpoint as it is now, and with more calls. `now` is monotonic."""
        self.has_more = len(calls) >= (1 if destination.is_ordered else self.room)
        self.destination = destination
        self.pace.released_at, self.pace.step_s = destination.released_at, destination.release_step_s
        self.pace.took(len(calls))
        self.failures_in_row = 0
        if destination.is_probed:
            self.window, self.ahead = 1, 1
        elif not self.queue:
            is_quick = now - self.filled_at < AHEAD_S
            self.ahead = self.ahead * 2 if is_quick else max(self.window, self.ahead // 2)
        self.ahead = min(self.ahead, max(self.window, _most_ahead(calls)))
        self.filled_at = now
        self.queue.extend(calls)

    @property
    def room(self) -> int:
        """How many calls may be claimed for it now: none while half of what was waits, since many at once are cheap."""
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
            if self.pace.per_s is None:
                self.window = min(MAX_WINDOW, self.window + 1)
            self.pace.speed_up()
            return
        self.failures_in_row += 1
        self.ahead = self.window
        if outcome.verdict.status in SLOWS:
            if self.window == 1:
                self.pace.slow_down()
            self.window = max(1, self.window // 2)

    @property
    def is_low(self) -> bool:
        """Whether more is to be claimed before it runs dry."""
        return self.has_more and self.room > 0

    @property
    def is_to_rest(self) -> bool:
        """Whether what waits is better given back: the endpoint fails, or takes less than one call a second."""
        is_too_much = self.pace.per_s is not None and self.failures_in_row > 0
        return is_too_much or self.failures_in_row >= FAILURES_BEFORE_REST

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
    """Whose turn it is: lanes one after another, none beyond its window, no realm beyond its share."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.running = 0
        self._share = max(1, int(places * REALM_SHARE))
        self._of_realm: dict[str, int] = {}
        self._line: deque[Lane] = deque()
        self._held: dict[str, list[Lane]] = {}  # lanes of realms that have their share

    def offer(self, lane: Lane) -> None:
        """Have a lane stand in line if it has something to begin. Idempotent."""
        if lane.may_begin and not lane.is_offered:
            lane.is_offered = True
            self._line.append(lane)

    def next_call(self) -> tuple[Lane, Call] | None:
        """Return the call to begin now, counted as running; None: none may begin."""
        while self._line and self.running < self.places:
            lane = self._line.popleft()
            realm = lane.destination.realm
            if self._of_realm.get(realm, 0) >= self._share:
                self._held.setdefault(realm, []).append(lane)
                continue
            lane.is_offered = False
            if not lane.may_begin:
                continue
            self._of_realm[realm] = self._of_realm.get(realm, 0) + 1
            self.running += 1
            lane.running += 1
            call = lane.queue.popleft()
            self.offer(lane)
            return lane, call
        return None

    def ended(self, lane: Lane) -> None:
        """Count one call of a lane out, once the lane itself knows; what it held up may go on."""
        self.running -= 1
        realm = lane.destination.realm
        left = self._of_realm[realm] - 1
        if left:
            self._of_realm[realm] = left
        else:
            del self._of_realm[realm]
        for held in self._held.pop(realm, ()):
            held.is_offered = False
            self.offer(held)
        self.offer(lane)
