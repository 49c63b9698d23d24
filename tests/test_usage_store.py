"""Storing what realms use: failures keep counts, what is stored is stored once."""

import asyncio
from collections.abc import Mapping
from datetime import date

from django.db import OperationalError

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage, UsageMeter
from fanoutcloud.usage_store import UsageStore
from tests.fakes.clock import SteppedClock

REALM = RealmId("0a1b2c3d")


class Database:
    """What was added, and a fault that can be switched on after some calls."""

    def __init__(self) -> None:
        self.used: dict[RealmId, Usage] = {}
        self.connected: Mapping[RealmId, int] | None = None
        self.fails_after: int | None = None
        self.sizes: list[int] = []

    async def add(self, day: date, used: Mapping[RealmId, Usage]) -> None:
        if self.fails_after is not None and len(self.sizes) >= self.fails_after:
            raise OperationalError("gone")
        self.sizes.append(len(used))
        for realm, one in used.items():
            self.used.setdefault(realm, Usage()).add(one)

    async def say(self, connected: Mapping[RealmId, int]) -> None:
        self.connected = connected


def make_store(*, settles_s: float = 0.0) -> tuple[UsageStore, UsageMeter, Database, SteppedClock]:
    clock, database = SteppedClock(), Database()
    meter = UsageMeter(clock)
    return UsageStore(meter, clock, add=database.add, say=database.say, settles_s=settles_s), meter, database, clock


async def test_a_failure_keeps_the_counts_for_the_next_time():
    store, meter, database, _ = make_store()
    database.fails_after = 0
    meter.received(REALM, 3)
    assert not await store.store()
    meter.received(REALM, 4)
    assert not await store.store()
    database.fails_after = None

    assert await store.store()
    assert await store.store()
    assert database.used == {REALM: Usage(received=7)}


async def test_what_was_stored_before_a_failure_is_not_stored_again():
    store, meter, database, _ = make_store()
    for number in range(450):
        meter.received(RealmId(f"r{number}"), 1)
    database.fails_after = 1
    assert not await store.store()
    database.fails_after = None
    assert await store.store()

    assert database.sizes == [200, 200, 50]
    assert len(database.used) == 450
    assert {one.received for one in database.used.values()} == {1}


async def test_a_new_process_says_nothing_of_connections_that_may_be_counted_still():
    store, meter, database, clock = make_store(settles_s=30.0)
    meter.opened(REALM, "sse", clock.now(), is_new=False)
    meter.opened(REALM, "sse", clock.now(), is_new=True)
    await store.store()
    assert (database.used[REALM].max_connected, database.connected) == (0, None)

    clock.pass_time(30)
    await store.store()
    assert (database.used[REALM].max_connected, database.connected) == (2, {REALM: 2})


async def test_a_process_that_ends_stores_what_is_left():
    store, meter, database, clock = make_store(settles_s=30.0)
    meter.opened(REALM, "sse", clock.now(), is_new=True)
    meter.closed(REALM, clock.now())

    await store.close()

    assert database.used == {REALM: Usage(max_connected=1, client_activity=1, client_minutes=1)}
    assert database.connected == {}


async def test_a_cancelled_store_keeps_what_had_not_begun():
    store, meter, database, _ = make_store()
    reached = asyncio.Event()

    async def hang(day: date, used: Mapping[RealmId, Usage]) -> None:
        reached.set()
        await asyncio.Event().wait()

    for number in range(250):
        meter.received(RealmId(f"r{number}"), 1)
    store._add = hang
    storing = asyncio.create_task(store.store())
    await asyncio.wait_for(reached.wait(), 5)
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)
    store._add = database.add
    await store.store()

    assert len(database.used) == 50


def test_the_last_batch_of_a_day_is_taken_at_its_end():
    store, _, _, clock = make_store()
    clock.time_s = 86_400.0 * 20_000 - 3
    assert store.seconds_to_next() == 3
    clock.pass_time(3)
    assert store.seconds_to_next() == 10
