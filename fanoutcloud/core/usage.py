"""What realms use, by UTC day: counted in this process, taken away in batches by whoever stores it.

Counting costs nothing per subscriber: broadcasts are counted by transport, and minutes by the second of the minute in
which connections began. All belongs to one event loop: no locks. Source: docs/topics/usage.md.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import RealmId

#: Transports whose deliveries answer a request that the client then makes again.
POLLS = frozenset({"long-poll", "fpp", "hold-response"})
#: Transports whose subscribers are connections on which clients may say something.
SOCKETS = frozenset({"websocket", "hold-websocket"})
#: Transports whose subscribers are sessions, and not the requests that carry them.
SESSIONS = frozenset({"bayeux"})
MINUTE_S = 60


@dataclass(slots=True)
class Usage:
    """What a realm used. Amounts add up; of `max_connected` the larger one is meant."""

    max_connected: int = 0
    client_activity: int = 0
    client_minutes: int = 0
    received: int = 0
    delivered: int = 0
    delivered_to_polls: int = 0

    @property
    def total_ops(self) -> int:
        """Client minutes and messages; answers to long-polls are in their minutes already."""
        return self.client_minutes + self.received + self.delivered - self.delivered_to_polls

    def add(self, other: "Usage") -> None:
        """Add what was used at another time of the same day, or on another day."""
        most = max(self.max_connected, other.max_connected)
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.max_connected = most

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


@dataclass(slots=True)
class UsageBatch:
    """What was used on `day` since the batch before, and who is connected now."""

    day: date
    used: dict[RealmId, Usage] = field(default_factory=dict)
    connected: dict[RealmId, int] = field(default_factory=dict)


class _RealmMeter:
    """One realm in this process."""

    __slots__ = ("begun", "connected", "heard", "heard_minute", "sent", "settled_s", "used")

    def __init__(self, now_s: int) -> None:
        self.used = Usage()
        self.sent: dict[str, int] = defaultdict(int)  # deliveries by transport
        self.connected = 0
        #: How many connections began in which second of a minute: each begins another minute of use in that second.
        self.begun = [0] * MINUTE_S
        self.settled_s = now_s
        self.heard: set[object] = set()  # sockets whose messages were counted in this minute
        self.heard_minute = 0

    def settle(self, now_s: int) -> None:
        """Count the minutes that have begun since this was called last."""
        passed_s = now_s - self.settled_s
        if passed_s <= 0:
            return  # the machine's clock may have been put back: what lasts is counted once it is there again
        if self.connected:
            minutes, rest_s = divmod(passed_s, MINUTE_S)
            self.used.client_minutes += minutes * self.connected
            for second in range(self.settled_s + 1, self.settled_s + 1 + rest_s):
                self.used.client_minutes += self.begun[second % MINUTE_S]
        self.settled_s = now_s

    def take(self) -> Usage:
        """Return what was used, and begin anew."""
        used, self.used = self.used, Usage(max_connected=self.connected)
        return used

    def gather(self, all_sent: Counter[str]) -> None:
        """Make deliveries part of the figures, and add them to those of all realms."""
        for transport, number in self.sent.items():
            all_sent[transport] += number
            self.used.delivered += number
            self.used.delivered_to_polls += number if transport in POLLS else 0
        self.sent.clear()


class UsageMeter:
    """Counts what all realms use in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.now()  # when the batch began that is not taken yet
        self._realms: dict[RealmId, _RealmMeter] = {}
        self.all_sent: Counter[str] = Counter()  # deliveries of all realms, as far as they are gathered

    def _meter(self, realm: RealmId) -> _RealmMeter:
        meter = self._realms.get(realm)
        if meter is None:
            meter = self._realms[realm] = _RealmMeter(int(self._clock.now()))
        return meter

    # -- what happens

    def opened(self, realm: RealmId, transport: str, connected_at: float, *, is_new: bool) -> None:
        """Count a connection or held request; not `is_new`: it was counted by the process that it came from."""
        meter = self._meter(realm)
        meter.settle(int(self._clock.now()))
        meter.connected += 1
        meter.begun[int(connected_at) % MINUTE_S] += 1
        meter.used.max_connected = max(meter.used.max_connected, meter.connected)
        if is_new:
            meter.used.client_minutes += 1
            meter.used.client_activity += transport not in SOCKETS and transport not in SESSIONS

    def closed(self, realm: RealmId, connected_at: float) -> None:
        """Count out what `opened` counted in."""
        meter = self._meter(realm)
        meter.settle(int(self._clock.now()))
        meter.connected -= 1
        meter.begun[int(connected_at) % MINUTE_S] -= 1

    def heard(self, realm: RealmId, socket: object) -> None:
        """Count a message on a WebSocket that is not a published one: once a minute."""
        meter, minute = self._meter(realm), int(self._clock.now()) // MINUTE_S
        if meter.heard_minute != minute:
            meter.heard_minute = minute
            meter.heard.clear()
        if socket not in meter.heard:
            meter.heard.add(socket)
            meter.used.client_activity += 1

    def requested(self, realm: RealmId, took_s: float, *, has_minutes: bool = True) -> None:
        """Count a request that was answered and is no subscriber; without minutes, if a session has them."""
        used = self._meter(realm).used
        used.client_activity += 1
        if has_minutes:
            used.client_minutes += max(1, -int(-took_s // MINUTE_S))

    def received(self, realm: RealmId, items: int) -> None:
        """Count published items."""
        self._meter(realm).used.received += items

    def sent_to(self, realm: RealmId) -> dict[str, int]:
        """Return where to add deliveries by transport, for what is sent in one turn of the event loop."""
        meter = self._realms.get(realm)
        return self._meter(realm).sent if meter is None else meter.sent

    def gather(self) -> None:
        """Add deliveries of all realms to `all_sent`."""
        for meter in self._realms.values():
            if meter.sent:
                meter.gather(self.all_sent)

    # -- what is stored

    def take(self) -> UsageBatch:
        """Return all that was counted since this was called last, as of the day of that call: call it at midnight, too.

        What lasts goes on being counted.
        """
        now = self._clock.now()
        batch = UsageBatch(datetime.fromtimestamp(self._since, UTC).date())
        self._since = now
        for realm, meter in list(self._realms.items()):
            meter.settle(int(now))
            meter.gather(self.all_sent)
            if used := meter.take():
                batch.used[realm] = used
            if meter.connected:
                batch.connected[realm] = meter.connected
            elif not used:
                del self._realms[realm]  # nothing happened since the batch before
        return batch


class UsageBacklog:
    """Batches that wait to be stored, added up by day and realm: as large as there are realms in use, and no larger."""

    def __init__(self) -> None:
        self._days: dict[date, dict[RealmId, Usage]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))

    def put(self, day: date, used: Mapping[RealmId, Usage]) -> None:
        """Keep until `take`."""
        if not used:
            return
        realms = self._days.setdefault(day, {})
        for realm, one in used.items():
            realms.setdefault(realm, Usage()).add(one)

    def take(self) -> dict[date, dict[RealmId, Usage]]:
        """Return everything; whoever can't store it puts it back."""
        days, self._days = self._days, {}
        return days
