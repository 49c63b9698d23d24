"""Who may subscribe: connections and channels of a realm, counted over all processes.

Connections are held in leases with some headroom, so that most connects cost no round trip; a lease ends by itself when
its process is killed. Channels are noted by name, so that one counts once however many processes have it. Whoever is
connected stays: limits turn new ones away. Source: docs/topics/limits.md.
"""

import asyncio
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.limit_store import RENEW_HOLDS_S, RENEW_NOTES_S, LimitStore
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory, RealmLimits, RealmSnapshot
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.statistics import LimitStatistics

#: Connections that a process holds ahead of need: a hundredth of the limit, 256 at most. Below 100, none.
_HEADROOM_PART = 100
MAX_HEADROOM = 256
#: After a refusal nobody is asked about the realm's connections for this long, unless one here has ended.
REFUSED_FOR_S = 0.5
#: What a refused client is told: about the time in which counts of a killed process end.
RETRY_CONNECTIONS_S = 5
RETRY_CHANNELS_S = 30
_AT_ONCE = 500


class _Use:
    """One realm's connections in this process."""

    __slots__ = ("connections", "granted", "lease", "limits", "refused_until")

    def __init__(self, limits: RealmLimits) -> None:
        self.limits = limits
        self.connections = 0
        self.granted = 0
        self.refused_until = 0.0
        self.lease: asyncio.Task[None] | None = None

    @property
    def headroom(self) -> int:
        return min(MAX_HEADROOM, (self.limits.connections or 0) // _HEADROOM_PART)


class Admission:
    """Admits subscribers of this process. `run` must be running: it renews what this process holds."""

    def __init__(
        self,
        *,
        store: LimitStore,
        directory: RealmDirectory,
        egress: EgressMeter | None,
        clock: Clock,
        statistics: LimitStatistics,
    ) -> None:
        self._store = store
        self._directory = directory
        self._egress = egress
        self._clock = clock
        self._statistics = statistics
        self._holder = secrets.token_hex(8)
        self._uses: dict[RealmId, _Use] = {}

    def find_limits(self, realm: RealmId) -> RealmLimits | None:
        """Return the newest limits that this process has seen of a realm with connections here."""
        snapshot = self._directory.find_cached(realm)
        if snapshot is not None:
            return snapshot.limits
        use = self._uses.get(realm)
        return None if use is None else use.limits

    # -- connections

    async def admit_connection(self, realm: RealmSnapshot) -> None:
        """Return if the realm may have one more connection; waits only when this process has none left in its lease.

        Raises:
            LimitReached: it has all of them, or it owes egress.
        """
        if self._egress is not None:
            self._egress.check(realm.realm, realm.limits)
        limit = realm.limits.connections
        if limit is None:
            return
        use = self._use(realm.realm, realm.limits)
        while use.connections >= use.granted:
            if self._clock.monotonic() < use.refused_until:
                self._statistics.hits["connections"] += 1
                raise LimitReached("connections", f"{limit:,} connections", retry_after_s=RETRY_CONNECTIONS_S)
            if use.lease is None:
                use.lease = asyncio.create_task(self._lease_more(realm.realm, use, limit))  # owned: awaited here
            await asyncio.shield(use.lease)

    def has_room(self, realm: RealmSnapshot) -> bool:
        """Tell whether `admit_connection` would return without waiting; counts nothing."""
        if self._egress is not None and self._egress.was_over(realm.realm):
            return False
        if realm.limits.connections is None:
            return True
        use = self._use(realm.realm, realm.limits)
        return use.connections < use.granted

    async def _lease_more(self, realm: RealmId, use: _Use, limit: int) -> None:
        try:
            await asyncio.sleep(0)  # who connects in this turn of the loop shares the round trip
            use.granted = await self._hold(realm, use, limit, wanted=use.connections + 1 + use.headroom)
            if use.granted <= use.connections:
                use.refused_until = self._clock.monotonic() + REFUSED_FOR_S
        finally:
            use.lease = None

    async def _hold(self, realm: RealmId, use: _Use, limit: int, *, wanted: int) -> int:
        return await self._store.hold(
            realm, "connections", holder=self._holder, used=use.connections, wanted=wanted, limit=limit
        )

    def count_in(self, realm: RealmId) -> None:
        """Count a connection that has begun."""
        use = self._uses.get(realm)
        if use is None:
            use = self._use(realm, self.find_limits(realm) or RealmLimits())
        use.connections += 1

    def count_out(self, realm: RealmId) -> None:
        """Count a connection that has ended."""
        self._uses[realm].connections -= 1

    def _use(self, realm: RealmId, limits: RealmLimits) -> _Use:
        use = self._uses.get(realm)
        if use is None:
            use = self._uses[realm] = _Use(limits)
        use.limits = limits
        return use

    # -- channels

    async def admit_channels(
        self, realm: RealmId, wanted: Iterable[ChannelName], *, known: Collection[tuple[RealmId, ChannelName]]
    ) -> None:
        """Return if the realm may have these channels; waits only if one is not among those `known` here.

        Raises:
            LimitReached: it has all that it may have.
        """
        new = [channel for channel in wanted if (realm, channel) not in known]
        if not new:
            return
        limits = self.find_limits(realm)
        if limits is None or limits.channels is None:
            return
        if not all(await self._store.note(realm, "channels", new, limit=limits.channels)):
            self._statistics.hits["channels"] += 1
            raise LimitReached("channels", f"{limits.channels:,} channels", retry_after_s=RETRY_CHANNELS_S)

    # -- renewal

    async def run(self, channels: Mapping[tuple[RealmId, ChannelName], object]) -> None:
        """Renew what this process holds, until cancelled; `channels` are those that it has subscribed."""
        renew_channels_at = 0.0
        while True:
            await asyncio.sleep(RENEW_HOLDS_S)
            await self.renew_connections()
            if self._clock.monotonic() >= renew_channels_at:
                renew_channels_at = self._clock.monotonic() + RENEW_NOTES_S - RENEW_HOLDS_S
                await self.renew_channels(list(channels))

    async def renew_connections(self) -> None:
        """Report each realm's connections, and give back what is not needed."""
        realms = list(self._uses.items())
        for start in range(0, len(realms), _AT_ONCE):
            await asyncio.gather(*[self._renew(*one) for one in realms[start : start + _AT_ONCE]])

    async def _renew(self, realm: RealmId, use: _Use) -> None:
        use.limits = self.find_limits(realm) or use.limits
        limit = use.limits.connections
        if limit is not None and (use.connections or use.granted) and use.lease is None:
            wanted = use.connections + use.headroom if use.connections else 0
            use.granted = await self._hold(realm, use, limit, wanted=wanted)
        if not use.connections and not use.granted and use.lease is None:
            self._uses.pop(realm, None)

    async def renew_channels(self, channels: Sequence[tuple[RealmId, ChannelName]]) -> None:
        """Note again what is subscribed here."""
        by_realm: dict[RealmId, list[str]] = {}
        for realm, channel in channels:
            by_realm.setdefault(realm, []).append(channel)
        for realm, names in by_realm.items():
            limits = self.find_limits(realm)
            if limits is not None and limits.channels is not None:
                await self._store.note(realm, "channels", names, limit=None)

    async def give_back(self) -> None:
        """Give all connections back: this process ends."""
        for realm, use in list(self._uses.items()):
            if use.limits.connections is not None and use.granted:
                await self._store.hold(
                    realm, "connections", holder=self._holder, used=0, wanted=0, limit=use.limits.connections
                )
