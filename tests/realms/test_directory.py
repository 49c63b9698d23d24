"""The edge's memory of realms: quick, bounded, and still there when the database is not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from django.db import OperationalError

from fanoutcloud.core.directory import RealmKey, RealmSnapshot, Retention
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from realms import loading_cache
from realms.directory import CachedRealmDirectory
from realms.loading_cache import GRACE_S, RETRY_DELAY_S
from tests.fakes.clock import SteppedClock

REALM = RealmId("0a1b2c3d")
OTHER = RealmId("4e5f6a7b")
TTL_S = 10.0
NEGATIVE_TTL_S = 1.0


def snapshot(realm: RealmId, *key_ids: str) -> RealmSnapshot:
    keys = tuple(RealmKey(key_id, f"{realm} {key_id}".encode()) for key_id in key_ids)
    return RealmSnapshot(realm=realm, keys=keys, retention=Retention())


class Database:
    """Answers loads out of a dict; can be down, and can be held up."""

    def __init__(self) -> None:
        self.rows = {REALM: snapshot(REALM, "1", "2"), OTHER: snapshot(OTHER, "3")}
        self.loads: list[RealmId] = []
        self.is_down = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def load(self, realm: RealmId) -> RealmSnapshot | None:
        self.loads.append(realm)
        row = self.rows.get(realm)  # as of now, answered later
        await self.may_answer.wait()
        if self.is_down:
            raise OperationalError("the database is down")
        return row


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


@pytest.fixture
async def database() -> Database:
    return Database()


@pytest.fixture
async def directory(clock: SteppedClock, database: Database) -> AsyncIterator[CachedRealmDirectory]:
    directory = CachedRealmDirectory(database.load, clock, ttl_s=TTL_S, negative_ttl_s=NEGATIVE_TTL_S, max_realms=3)
    yield directory
    await directory.aclose()


async def settle() -> None:
    """Let tasks that are ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_realm_is_loaded_once_and_then_served_from_memory(directory, database):
    assert directory.find_cached(REALM) is None

    first = await directory.find_realm(REALM)

    assert first == database.rows[REALM]
    assert directory.find_cached(REALM) is first
    assert await directory.find_realm(REALM) is first
    assert database.loads == [REALM]


async def test_many_callers_at_once_share_one_load(directory, database):
    database.may_answer.clear()
    callers = [asyncio.create_task(directory.find_realm(REALM)) for _ in range(500)]
    await settle()
    database.may_answer.set()

    found = await asyncio.gather(*callers)

    assert database.loads == [REALM]
    assert set(map(id, found)) == {id(directory.find_cached(REALM))}


async def test_a_caller_that_gives_up_does_not_end_the_load_of_the_others(directory, database):
    database.may_answer.clear()
    impatient = asyncio.create_task(directory.find_realm(REALM))
    patient = asyncio.create_task(directory.find_realm(REALM))
    await settle()

    impatient.cancel()
    await settle()
    database.may_answer.set()

    assert await patient == database.rows[REALM]
    assert impatient.cancelled()


async def test_realms_are_never_mixed_up(directory, database):
    database.may_answer.clear()
    names = [REALM, OTHER] * 50
    callers = [asyncio.create_task(directory.find_realm(name)) for name in names]
    await settle()
    database.may_answer.set()

    found = await asyncio.gather(*callers)

    assert [one.realm for one in found] == names
    assert all(key.secret.decode().startswith(one.realm) for one in found for key in one.keys)


async def test_past_its_time_a_snapshot_is_served_at_once_and_refreshed(directory, database, clock):
    old = await directory.find_realm(REALM)
    database.rows[REALM] = snapshot(REALM, "9")
    clock.time_s += TTL_S

    assert directory.find_cached(REALM) is None
    assert await directory.find_realm(REALM) is old
    await settle()

    assert directory.find_cached(REALM) == snapshot(REALM, "9")
    assert database.loads == [REALM, REALM]


async def test_long_past_its_time_a_snapshot_is_not_served_before_the_database_was_asked(directory, database, clock):
    await directory.find_realm(REALM)
    database.rows[REALM] = snapshot(REALM, "9")  # and the announcement got lost
    clock.time_s += TTL_S + GRACE_S

    assert await directory.find_realm(REALM) == snapshot(REALM, "9")


@pytest.mark.parametrize("age_s", [TTL_S, TTL_S + GRACE_S, 86_400.0])
async def test_a_database_that_is_down_does_not_stop_delivery_to_known_realms(directory, database, clock, age_s):
    known = await directory.find_realm(REALM)
    database.is_down = True
    clock.time_s += age_s

    for _ in range(5):
        assert await directory.find_realm(REALM) is known
        await settle()

    assert database.loads == [REALM, REALM]  # asked once, then left alone


async def test_a_database_that_is_back_is_asked_again(directory, database, clock):
    await directory.find_realm(REALM)
    database.is_down = True
    clock.time_s += TTL_S + GRACE_S
    await directory.find_realm(REALM)

    database.is_down = False
    database.rows[REALM] = snapshot(REALM, "9")
    clock.time_s += RETRY_DELAY_S

    assert await directory.find_realm(REALM) == snapshot(REALM, "9")


async def test_an_unknown_realm_is_unavailable_while_the_database_is_down(directory, database, clock):
    database.is_down = True

    with pytest.raises(Unavailable):
        await directory.find_realm(REALM)
    with pytest.raises(Unavailable):
        await directory.find_realm(REALM)
    assert database.loads == [REALM]

    database.is_down = False
    clock.time_s += RETRY_DELAY_S
    assert await directory.find_realm(REALM)


async def test_a_load_that_takes_too_long_counts_as_failed(directory, database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loading_cache, "LOAD_TIMEOUT_S", 0.01)
    database.may_answer.clear()

    with pytest.raises(Unavailable):
        await directory.find_realm(REALM)


async def test_that_there_is_no_such_realm_is_remembered_for_a_short_time(directory, database, clock):
    missing = RealmId("00000000")

    assert await directory.find_realm(missing) is None
    assert await directory.find_realm(missing) is None
    assert database.loads == [missing]

    database.rows[missing] = snapshot(missing, "1")
    clock.time_s += NEGATIVE_TTL_S
    assert await directory.find_realm(missing) == snapshot(missing, "1")


async def test_a_realm_that_was_just_made_is_found_after_the_announcement(directory, database):
    new = RealmId("00000000")
    await directory.find_realm(new)
    database.rows[new] = snapshot(new, "1")

    directory.invalidate(new)

    assert await directory.find_realm(new) == snapshot(new, "1")


async def test_text_that_can_not_be_a_realm_costs_no_load(directory, database):
    assert await directory.find_realm(RealmId("../etc/passwd")) is None
    assert await directory.find_realm(RealmId("x" * 10_000)) is None

    assert database.loads == []


async def test_a_revoked_key_is_gone_with_the_next_request_after_the_announcement(directory, database):
    await directory.find_realm(REALM)
    database.rows[REALM] = snapshot(REALM, "2")

    directory.invalidate(REALM)

    assert directory.find_cached(REALM) is None
    found = await directory.find_realm(REALM)
    assert [key.key_id for key in found.keys] == ["2"]


async def test_a_deleted_realm_is_gone_after_the_announcement(directory, database):
    await directory.find_realm(REALM)
    del database.rows[REALM]

    directory.invalidate(REALM)

    assert await directory.find_realm(REALM) is None
    assert directory.find_cached(REALM) is None


async def test_a_load_that_began_before_the_change_is_not_remembered(directory, database):
    database.may_answer.clear()
    early = asyncio.create_task(directory.find_realm(REALM))
    await settle()  # it has read both keys and waits to answer

    database.rows[REALM] = snapshot(REALM, "2")
    directory.invalidate(REALM)
    late = asyncio.create_task(directory.find_realm(REALM))
    await settle()
    database.may_answer.set()
    await early

    assert await late == snapshot(REALM, "2")
    assert directory.find_cached(REALM) == snapshot(REALM, "2")


async def test_the_realm_that_was_used_longest_ago_makes_room(directory, database):
    names = [RealmId(f"{number:08x}") for number in range(4)]
    database.rows = {name: snapshot(name, "1") for name in names}
    for name in names[:3]:
        await directory.find_realm(name)
    directory.find_cached(names[0])

    await directory.find_realm(names[3])

    assert [directory.find_cached(name) is not None for name in names] == [True, False, True, True]


async def test_somebody_who_tries_ids_pushes_no_real_realm_out_and_fills_no_memory(
    directory, database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(loading_cache, "MAX_UNKNOWN", 5)
    await directory.find_realm(REALM)

    for number in range(50):
        await directory.find_realm(RealmId(f"{number:08x}"))

    assert directory.find_cached(REALM) is not None
    assert len(directory._realms._missing_until) == 5


async def test_few_loads_run_at_once(directory, database):
    database.may_answer.clear()
    callers = [asyncio.create_task(directory.find_realm(RealmId(f"{number:08x}"))) for number in range(50)]
    await settle()

    assert len(database.loads) == loading_cache.MAX_LOADS

    database.may_answer.set()
    assert await asyncio.gather(*callers) == [None] * 50
    assert len(database.loads) == 50


async def test_closing_ends_the_loads_under_way(directory, database):
    database.may_answer.clear()
    caller = asyncio.create_task(directory.find_realm(REALM))
    await settle()

    await directory.aclose()

    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_realm_that_has_not_changed_stays_the_same_object(
    directory: CachedRealmDirectory, database: Database
) -> None:
    """Tokens that were verified are remembered by it."""
    first = await directory.find_realm(REALM)
    database.rows[REALM] = snapshot(REALM, "1", "2")
    directory.invalidate(REALM)
    equal = await directory.find_realm(REALM)
    database.rows[REALM] = snapshot(REALM, "1")
    directory.invalidate(REALM)
    changed = await directory.find_realm(REALM)

    assert database.loads == [REALM] * 3
    assert equal is first
    assert changed is not first
