"""A realm directory that is a dictionary."""

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.names import RealmId


class FakeDirectory:
    """Knows the realms that it is given. `looked_up` lists the names that would have cost a query."""

    def __init__(self, *realms: RealmSnapshot) -> None:
        self._realms = {realm.realm: realm for realm in realms}
        self.looked_up: list[RealmId] = []

    def replace(self, realm: RealmSnapshot) -> None:
        """Know the realm by another snapshot from now on, as after a change of its keys."""
        self._realms[realm.realm] = realm

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        return self._realms.get(realm)

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        self.looked_up.append(realm)
        return self._realms.get(realm)
