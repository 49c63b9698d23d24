"""What every store of shared counts promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from fanoutcloud.core.directory import Rate
from tests.contracts.limit_stores import HOLD_S, NOTE_S, LimitWorld, MemoryLimitWorld, redis_limit_world

#: So slow that nothing comes to it during a test that does not wait.
SLOW = Rate(per_s=0.01, burst=10)
QUICK = Rate(per_s=20.0, burst=10)


@pytest.fixture(params=["memory", "redis"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[LimitWorld]:
    """Two processes, in memory and on Redis in turn."""
    if request.param == "memory":
        yield MemoryLimitWorld()
    else:
        async with redis_limit_world(request.getfixturevalue("redis_url")) as world:
            yield world


# -- token buckets


async def test_a_bucket_begins_full_and_is_one_for_all_processes(shared: LimitWorld):
    first = await shared.here.take(shared.realm, "publish_items", 7, SLOW)
    second = await shared.there.take(shared.realm, "publish_items", 7, SLOW)

    assert (first.tokens, first.wait_s) == (7, 0.0)
    assert second.tokens == 3
    assert second.wait_s == pytest.approx(400, abs=1)


async def test_many_at_once_get_no_more_than_there_is(shared: LimitWorld):
    stores = [shared.here, shared.there] * 10

    taken = await asyncio.gather(*[store.take(shared.realm, "publish_items", 1, SLOW) for store in stores])

    assert sum(one.tokens for one in taken) == 10


async def test_a_bucket_fills_by_its_rate_and_no_further_than_full(shared: LimitWorld):
    await shared.here.take(shared.realm, "publish_items", 10, QUICK)
    await shared.pass_time(0.2)
    some = await shared.there.take(shared.realm, "publish_items", 100, QUICK)
    await shared.pass_time(1.0)
    full = await shared.there.take(shared.realm, "publish_items", 100, QUICK)

    assert 4 <= some.tokens <= 9
    assert full.tokens == 10


async def test_the_wait_that_is_told_is_long_enough(shared: LimitWorld):
    await shared.here.take(shared.realm, "publish_items", 10, QUICK)
    refused = await shared.here.take(shared.realm, "publish_items", 3, QUICK)
    await shared.here.take(shared.realm, "publish_items", -refused.tokens, QUICK)
    await shared.pass_time(refused.wait_s)

    assert (await shared.there.take(shared.realm, "publish_items", 3, QUICK)).tokens == 3


async def test_tokens_can_be_put_back_up_to_full(shared: LimitWorld):
    await shared.here.take(shared.realm, "publish_items", 6, SLOW)
    await shared.here.take(shared.realm, "publish_items", -4, SLOW)
    once = await shared.there.take(shared.realm, "publish_items", 100, SLOW)
    await shared.here.take(shared.realm, "publish_items", -400, SLOW)

    assert once.tokens == 8
    assert (await shared.there.take(shared.realm, "publish_items", 100, SLOW)).tokens == 10


async def test_a_bucket_that_may_owe_gives_all_and_then_nothing_until_that_is_made_good(shared: LimitWorld):
    owed = await shared.here.take(shared.realm, "egress_bytes", 14, QUICK, may_owe=True)
    refused = await shared.there.take(shared.realm, "egress_bytes", 1, QUICK)
    await shared.pass_time(refused.wait_s)
    again = await shared.there.take(shared.realm, "egress_bytes", 1, QUICK)

    assert owed.tokens == 14
    assert owed.wait_s == pytest.approx(0.2, abs=0.01)
    assert refused.tokens == 0
    assert again.tokens == 1


async def test_buckets_of_realms_and_kinds_are_apart(shared: LimitWorld):
    await shared.here.take(shared.realm, "publish_items", 10, SLOW)

    assert (await shared.here.take(shared.other_realm, "publish_items", 10, SLOW)).tokens == 10
    assert (await shared.here.take(shared.realm, "egress_bytes", 10, SLOW)).tokens == 10


async def test_a_rate_may_change_between_calls(shared: LimitWorld):
    await shared.here.take(shared.realm, "publish_items", 2, SLOW)

    assert (await shared.here.take(shared.realm, "publish_items", 100, Rate(0.01, 5))).tokens == 5


# -- counts


async def hold(shared: LimitWorld, holder: str, wanted: int, *, used: int = 0, limit: int = 10) -> int:
    store = shared.here if holder == "here" else shared.there
    return await store.hold(shared.realm, "connections", holder=holder, used=used, wanted=wanted, limit=limit)


async def test_holders_together_have_no_more_than_the_limit(shared: LimitWorld):
    assert await hold(shared, "here", 7) == 7
    assert await hold(shared, "there", 7) == 3
    assert await hold(shared, "third", 1) == 0


async def test_a_holder_that_needs_less_leaves_the_rest_to_others(shared: LimitWorld):
    await hold(shared, "here", 10)
    await hold(shared, "here", 2)

    assert await hold(shared, "there", 10) == 8


async def test_what_is_in_use_is_counted_even_beyond_the_limit(shared: LimitWorld):
    await hold(shared, "here", 9)

    assert await hold(shared, "there", 5, used=4) == 4
    assert await hold(shared, "here", 9, used=5) == 6


async def test_what_a_killed_process_held_is_free_soon(shared: LimitWorld):
    await hold(shared, "here", 10)
    refused = await hold(shared, "there", 1)
    await shared.pass_time(HOLD_S)

    assert refused == 0
    assert await hold(shared, "there", 10) == 10


async def test_who_renews_keeps_what_it_has(shared: LimitWorld):
    await hold(shared, "here", 6)
    for _ in range(3):
        await shared.pass_time(HOLD_S / 2)
        await hold(shared, "here", 6)

    assert await hold(shared, "there", 10) == 4


async def test_giving_up_all_takes_effect_at_once(shared: LimitWorld):
    await hold(shared, "here", 10)
    given_up = await hold(shared, "here", 0)

    assert given_up == 0
    assert await hold(shared, "there", 10) == 10


# -- names


async def note(shared: LimitWorld, *names: str, limit: int | None = 3, there: bool = False) -> list[bool]:
    store = shared.there if there else shared.here
    return await store.note(shared.realm, "channels", names, limit=limit)


async def test_a_name_counts_once_however_many_processes_have_it(shared: LimitWorld):
    assert await note(shared, "a", "b") == [True, True]
    assert await note(shared, "b", "c", "a", there=True) == [True, True, True]
    assert await note(shared, "d") == [False]


async def test_names_that_are_known_pass_beside_new_ones_that_do_not(shared: LimitWorld):
    await note(shared, "a", "b", "c")

    assert await note(shared, "d", "a", "e", "c") == [False, True, False, True]


async def test_a_name_that_nobody_notes_any_more_makes_room(shared: LimitWorld):
    await note(shared, "a", "b", "c")
    await shared.pass_time(NOTE_S / 2)
    await note(shared, "b", there=True)
    await shared.pass_time(NOTE_S / 2)

    assert await note(shared, "b", "d", "e", "f") == [True, True, True, False]


async def test_without_a_limit_all_are_counted(shared: LimitWorld):
    names = [f"channel-{number}" for number in range(1200)]  # more than one call takes

    assert all(await note(shared, *names, limit=None))
    assert await note(shared, "one-more", limit=1200) == [False]
    assert await note(shared, *names[:3], limit=1200) == [True] * 3


async def test_realms_do_not_share_names(shared: LimitWorld):
    await note(shared, "a", "b", "c")

    assert await shared.here.note(shared.other_realm, "channels", ["d"], limit=3) == [True]
