"""The delivery plane's view of realms: snapshots kept in memory, so that it needs no database to go on."""

import asyncio
from collections.abc import Awaitable, Callable

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import HostFound, RealmSnapshot
from fanoutcloud.core.names import HostName, RealmId, find_realm_id
from realms.loading_cache import MAX_LOADS, LoadingCache

LoadSnapshot = Callable[[RealmId], Awaitable[RealmSnapshot | None]]
LoadHost = Callable[[HostName], Awaitable[RealmId | None]]

#: A realm with ten keys takes about 3 KB: some 30 MB when full.
MAX_REALMS = 10_000
#: Which realm a host name belongs to: about 300 B each.
MAX_HOSTS = 20_000
#: Apart from those of realms: whoever makes names up must not hold up those who use real ones.
MAX_HOST_LOADS = 4


async def _find_no_host(host: HostName) -> RealmId | None:
    return None


class CachedRealmDirectory:
    """A `RealmDirectory` over two slow loads, each with a `LoadingCache`. Use on one event loop, and `aclose` it.

    A realm that has changed is looked up again before it is served, so that a revoked key is gone. When the database
    does not answer, the old snapshot is served: delivery goes on, revocations wait.
    """

    def __init__(
        self,
        load: LoadSnapshot,
        clock: Clock,
        *,
        load_host: LoadHost = _find_no_host,
        ttl_s: float = 10.0,
        negative_ttl_s: float = 1.0,
        max_realms: int = MAX_REALMS,
    ) -> None:
        self._realms: LoadingCache[RealmId, RealmSnapshot] = LoadingCache(
            load,
            clock,
            what="realm",
            ttl_s=ttl_s,
            negative_ttl_s=negative_ttl_s,
            max_known=max_realms,
            load_slots=asyncio.Semaphore(MAX_LOADS),
        )
        self._hosts: LoadingCache[HostName, RealmId] = LoadingCache(
            load_host,
            clock,
            what="host",
            ttl_s=ttl_s,
            negative_ttl_s=ttl_s,  # who finds a name sends every request with it; a change is announced
            max_known=MAX_HOSTS,
            load_slots=asyncio.Semaphore(MAX_HOST_LOADS),
        )

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        """See `RealmDirectory.find_cached`."""
        return self._realms.find_cached(realm)

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        """See `RealmDirectory.find_realm`. Cancelling a caller does not cancel the load."""
        return await self._realms.find(realm) if find_realm_id(realm) is not None else None

    def find_host_cached(self, host: HostName) -> HostFound | None:
        """See `RealmDirectory.find_host_cached`."""
        realm = self._hosts.find_cached(host)
        return _find_domain(self._realms.find_cached(realm), host) if realm is not None else None

    async def find_host(self, host: HostName) -> HostFound | None:
        """See `RealmDirectory.find_host`. Cancelling a caller does not cancel the loads."""
        realm = await self._hosts.find(host)
        return _find_domain(await self._realms.find(realm), host) if realm is not None else None

    def is_nobodys_host(self, host: HostName) -> bool:
        """See `RealmDirectory.is_nobodys_host`."""
        return self._hosts.is_known_missing(host)

    def invalidate(self, realm: RealmId) -> None:
        """Know that the realm has changed, come to be or gone: memory is not to be trusted on it."""
        self._realms.invalidate(realm)

    def invalidate_host(self, host: HostName) -> None:
        """Know that the name has got another realm, its first, or none."""
        self._hosts.invalidate(host)

    async def aclose(self) -> None:
        """Give up the loads under way."""
        await self._realms.aclose()
        await self._hosts.aclose()


def _find_domain(snapshot: RealmSnapshot | None, host: HostName) -> HostFound | None:
    domain = snapshot.find_domain(host) if snapshot is not None else None
    return HostFound(snapshot, domain) if snapshot is not None and domain is not None else None
