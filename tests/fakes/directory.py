"""A realm directory that is a dictionary."""

from fanoutcloud.core.directory import HostFound, RealmSnapshot
from fanoutcloud.core.names import HostName, RealmId


class FakeDirectory:
    """Knows the realms that it is given. `looked_up` lists the names that would have cost a query."""

    def __init__(self, *realms: RealmSnapshot) -> None:
        self._realms = {realm.realm: realm for realm in realms}
        self.looked_up: list[RealmId] = []
        self.looked_up_hosts: list[HostName] = []

    def replace(self, realm: RealmSnapshot) -> None:
        """Know the realm by another snapshot from now on, as after a change of its keys."""
        self._realms[realm.realm] = realm

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        return self._realms.get(realm)

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        self.looked_up.append(realm)
        return self._realms.get(realm)

    def find_host_cached(self, host: HostName) -> HostFound | None:
        return self._find_host(host) if host in self.looked_up_hosts else None

    async def find_host(self, host: HostName) -> HostFound | None:
        self.looked_up_hosts.append(host)
        return self._find_host(host)

    def is_nobodys_host(self, host: HostName) -> bool:
        return host in self.looked_up_hosts and self._find_host(host) is None

    def _find_host(self, host: HostName) -> HostFound | None:
        for snapshot in self._realms.values():
            if (domain := snapshot.find_domain(host)) is not None:
                return HostFound(snapshot, domain)
        return None
