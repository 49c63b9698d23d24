"""Whose a host name is, as an edge remembers it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from django.db import OperationalError

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import HostName, RealmId
from realms.directory import CachedRealmDirectory
from tests.fakes.clock import SteppedClock

REALM, OTHER = RealmId("0a1b2c3d"), RealmId("4e5f6a7b")
NAME = HostName("push.acme.com")
MOVED = Origin("new.acme.com", 80)


class Database:
    """Whose each name is, and what is set for it."""

    def __init__(self) -> None:
        self.hosts: dict[HostName, RealmId] = {NAME: REALM}
        self.domain = Domain(name=NAME)
        self.host_loads: list[HostName] = []
        self.is_down = False

    async def load_host(self, host: HostName) -> RealmId | None:
        self.host_loads.append(host)
        if self.is_down:
            raise OperationalError("the database is down")
        return self.hosts.get(host)

    async def load(self, realm: RealmId) -> RealmSnapshot | None:
        if self.is_down:
            raise OperationalError("the database is down")
        domains = (self.domain,) if self.hosts.get(NAME) == realm else ()
        return RealmSnapshot(realm, keys=(), retention=Retention(), domains=(Domain(), *domains))


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def directory(database: Database, clock: SteppedClock) -> AsyncIterator[CachedRealmDirectory]:
    directory = CachedRealmDirectory(database.load, clock, load_host=database.load_host)
    yield directory
    await directory.aclose()


async def test_a_name_is_looked_up_once_and_then_known(directory, database):
    assert directory.find_host_cached(NAME) is None

    found = await asyncio.gather(*(directory.find_host(NAME) for _ in range(100)))

    assert {(one.snapshot.realm, one.domain) for one in found} == {(REALM, database.domain)}
    assert directory.find_host_cached(NAME) == found[0]
    assert database.host_loads == [NAME]


async def test_new_settings_are_there_after_the_announcement(directory, database):
    await directory.find_host(NAME)
    database.domain = Domain(name=NAME, origins=(MOVED,))

    directory.invalidate(REALM)

    assert directory.find_host_cached(NAME) is None
    assert (await directory.find_host(NAME)).domain.origins == (MOVED,)
    assert database.host_loads == [NAME]


async def test_a_name_that_has_moved_leads_to_its_new_realm_after_the_announcement(directory, database):
    await directory.find_host(NAME)
    database.hosts[NAME] = OTHER

    for realm in (REALM, OTHER):
        directory.invalidate(realm)
    assert (
        await directory.find_host(NAME) is None
    )  # the name's own announcement is still to come: nobody's, never REALM's
    directory.invalidate_host(NAME)

    assert (await directory.find_host(NAME)).snapshot.realm == OTHER


async def test_that_nobody_has_a_name_is_remembered_until_somebody_has(directory, database, clock):
    database.hosts.clear()
    assert not directory.is_nobodys_host(NAME)

    assert await directory.find_host(NAME) is None
    assert directory.is_nobodys_host(NAME)
    assert await directory.find_host(NAME) is None
    assert database.host_loads == [NAME]

    database.hosts[NAME] = REALM
    directory.invalidate_host(NAME)
    directory.invalidate(REALM)
    assert (await directory.find_host(NAME)).snapshot.realm == REALM


async def test_a_lost_announcement_is_made_up_for_in_seconds(directory, database, clock):
    database.hosts.clear()
    await directory.find_host(NAME)
    database.hosts[NAME] = REALM

    clock.time_s += 10.0

    assert await directory.find_host(NAME)


async def test_known_names_are_served_while_the_database_is_down(directory, database, clock):
    known = await directory.find_host(NAME)
    database.is_down = True
    clock.time_s += 3600

    assert await directory.find_host(NAME) == known
    with pytest.raises(Unavailable):
        await directory.find_host(HostName("other.acme.com"))
