"""Presence of a single process, and of tests: the rules of `core.presence` in plain Python."""

import itertools
import secrets
from collections import deque
from collections.abc import Sequence

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import (
    LEASE_S,
    Beat,
    ChannelReport,
    Fenced,
    KeptEvent,
    Member,
    OnKept,
    Outcome,
    PresenceEvent,
    Snapshot,
    UserReport,
    tell_nobody,
)

MAX_EVENTS = 1000


class _Channel:
    """One channel: user → edge → what it reported; edge → its connections and anonymous ones."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.version = 0
        self.users: dict[str, dict[str, UserReport]] = {}
        self.edges: dict[str, tuple[int, int]] = {}
        self.fenced: set[str] = set()

    @property
    def connections(self) -> int:
        return sum(connections for connections, _ in self.edges.values())

    @property
    def anonymous(self) -> int:
        return sum(anonymous for _, anonymous in self.edges.values())


class MemoryPresenceStore:
    """See `PresenceStore`. No method waits."""

    def __init__(self, clock: Clock, on_kept: OnKept = tell_nobody) -> None:
        self._clock = clock
        self._on_kept = on_kept
        self._life = secrets.token_hex(4)  # numbers begin again with the process; what they name does not
        self._channels: dict[tuple[RealmId, ChannelName], _Channel] = {}
        self._beats: dict[str, float] = {}
        self._events: dict[RealmId, deque[KeptEvent]] = {}
        self._numbers = itertools.count(1)

    async def report(self, realm: RealmId, channel: ChannelName, edge: str, report: ChannelReport) -> Outcome:
        """See `PresenceStore.report`."""
        here = self._channels.get((realm, channel))
        if here is None:
            here = self._channels[realm, channel] = _Channel(next(self._numbers))
        if edge in here.fenced:
            raise Fenced(edge)
        had, events = here.connections, list[PresenceEvent]()
        if report.is_whole:
            named = {one.user for one in report.users}
            for user in [user for user, edges in here.users.items() if edge in edges and user not in named]:
                _enter(here, edge, UserReport(user, 0), events)
        for one in report.users:
            _enter(here, edge, one, events)
        here.edges[edge] = (report.connections, report.anonymous)
        if not report.connections:
            del here.edges[edge]
        outcome, kept = self._conclude(realm, channel, here, had, events, keeps_events=report.keeps_events)
        for event in kept:
            await self._on_kept(realm, event)
        return outcome

    def _conclude(
        self,
        realm: RealmId,
        channel: ChannelName,
        here: _Channel,
        had: int,
        events: list[PresenceEvent],
        *,
        keeps_events: bool,
    ) -> tuple[Outcome, list[KeptEvent]]:
        here.version += 1
        if bool(had) != bool(here.connections):
            events.append(PresenceEvent("occupied" if here.connections else "vacated"))
        kept = [
            KeptEvent(
                f"{next(self._numbers):016}",
                f"{self._life}-{here.number}-{here.version}-{index}",
                channel,
                self._clock.now(),
                event,
            )
            for index, event in enumerate(events if keeps_events else ())
        ]
        if kept:
            self._events.setdefault(realm, deque(maxlen=MAX_EVENTS)).extend(kept)
        if not (here.edges or here.users or here.fenced):
            self._channels.pop((realm, channel), None)
        return Outcome(here.version, len(here.users), here.connections, here.anonymous, events), kept

    async def snapshot(self, realm: RealmId, channel: ChannelName) -> Snapshot:
        """See `PresenceStore.snapshot`."""
        here = self._channels.get((realm, channel))
        if here is None:
            return Snapshot(0, [], 0, 0)
        members = [Member(user, next(reversed(edges.values())).info) for user, edges in here.users.items()]
        return Snapshot(here.version, members, here.connections, here.anonymous)

    async def beat(self, edge: str, *, is_first: bool) -> Beat:
        """See `PresenceStore.beat`."""
        now = self._clock.monotonic()
        if not is_first and edge not in self._beats:
            return Beat(is_gone=True, silent=[])
        is_outage = self._beats and max(self._beats.values()) < now - LEASE_S / 2
        if is_outage:  # nobody could say anything: that is no sign of death
            self._beats = dict.fromkeys(self._beats, now)
        self._beats[edge] = now
        return Beat(is_gone=False, silent=[one for one, at in self._beats.items() if at < now - LEASE_S])

    async def channels_of(self, edge: str) -> list[tuple[RealmId, ChannelName]] | None:
        """See `PresenceStore.channels_of`."""
        return [key for key, here in self._channels.items() if edge in here.edges and edge not in here.fenced]

    async def remove(self, realm: RealmId, channel: ChannelName, edge: str) -> Outcome:
        """See `PresenceStore.remove`."""
        here = self._channels.get((realm, channel))
        if here is not None and edge not in here.fenced:
            outcome = await self.report(realm, channel, edge, ChannelReport([], 0, 0, is_whole=True))
            here.fenced.add(edge)
            self._channels[realm, channel] = here
            return outcome
        raise Fenced(edge)

    async def forget(self, edge: str) -> None:
        """See `PresenceStore.forget`."""
        self._beats.pop(edge, None)

    async def read_events(self, realm: RealmId, *, after: str = "", limit: int = 100) -> Sequence[KeptEvent]:
        """See `PresenceStore.read_events`."""
        return [one for one in self._events.get(realm, ()) if one.cursor > after][:limit]


def _enter(here: _Channel, edge: str, report: UserReport, events: list[PresenceEvent]) -> None:
    edges = here.users.get(report.user)
    if report.connections:
        if edges is None:
            edges = here.users[report.user] = {}
            events.append(PresenceEvent("joined", report.user, report.info))
        edges[edge] = report
    elif edges is not None and edges.pop(edge, None) is not None and not edges:
        del here.users[report.user]
        events.append(PresenceEvent("left", report.user))
