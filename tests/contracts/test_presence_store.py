"""What every store of presence promises: joins and leaves once, leases, fences, and events that are kept once."""

import asyncio
import secrets

import pytest

from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import (
    LEASE_S,
    ChannelReport,
    Fenced,
    Member,
    Outcome,
    PresenceEvent,
    PresenceStore,
    UserReport,
)
from tests.contracts.brokers import World
from tests.contracts.presence_stores import open_store

HELLO = ChannelName("hello")


@pytest.fixture
async def store(world: World) -> PresenceStore:
    return await open_store(world)


def _users(**counts: int) -> list[UserReport]:
    return [UserReport(user, count, b'{"n":"%s"}' % user.encode()) for user, count in counts.items()]


async def _report(
    store: PresenceStore, world: World, edge: str, *, anonymous: int = 0, is_whole: bool = False, **counts: int
) -> Outcome:
    report = ChannelReport(_users(**counts), sum(counts.values()) + anonymous, anonymous, is_whole)
    return await store.report(world.realm, HELLO, edge, report)


def _kinds(outcome: Outcome) -> list[tuple[str, str]]:
    return [(event.kind, event.user) for event in outcome.events]


async def test_a_user_joins_once_over_all_edges_and_leaves_with_its_last_connection(
    store: PresenceStore, world: World
) -> None:
    first = await _report(store, world, "e1", alice=1)
    second = await _report(store, world, "e2", alice=2)
    third = await _report(store, world, "e1", alice=0)
    fourth = await _report(store, world, "e2", alice=0)

    assert first.events[0] == PresenceEvent("joined", "alice", b'{"n":"alice"}')
    assert _kinds(first) == [("joined", "alice"), ("occupied", "")]
    assert _kinds(second) == _kinds(third) == []
    assert _kinds(fourth) == [("left", "alice"), ("vacated", "")]
    assert [one.version for one in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert [one.members for one in (first, second, third, fourth)] == [1, 1, 1, 0]


async def test_a_report_may_be_repeated(store: PresenceStore, world: World) -> None:
    await _report(store, world, "e1", alice=1)

    again = await _report(store, world, "e1", alice=1)

    assert (again.events, again.members, again.connections) == ([], 1, 1)


async def test_a_whole_report_replaces_what_the_edge_had(store: PresenceStore, world: World) -> None:
    await _report(store, world, "e1", alice=1, bob=1)
    await _report(store, world, "e2", bob=1)

    outcome = await _report(store, world, "e1", is_whole=True, carol=1)

    assert sorted(_kinds(outcome)) == [("joined", "carol"), ("left", "alice")]
    assert {one.user for one in (await store.snapshot(world.realm, HELLO)).members} == {"bob", "carol"}


async def test_the_anonymous_are_counted_and_occupy_but_are_nobody(store: PresenceStore, world: World) -> None:
    first = await _report(store, world, "e1", anonymous=3)
    second = await _report(store, world, "e2", anonymous=2, alice=1)

    assert _kinds(first) == [("occupied", "")]
    assert (second.members, second.connections, second.anonymous) == (1, 6, 5)


async def test_a_snapshot_names_everybody(store: PresenceStore, world: World) -> None:
    await _report(store, world, "e1", alice=1)
    report = ChannelReport([UserReport("zoë ♥", 1, None), UserReport("a:b}", 1, b'"\xc3\xa9"')], 2, 0)
    outcome = await store.report(world.realm, HELLO, "e2", report)

    snapshot = await store.snapshot(world.realm, HELLO)

    assert (snapshot.version, snapshot.connections, snapshot.anonymous) == (outcome.version, 3, 0)
    assert sorted(snapshot.members, key=lambda one: one.user) == [
        Member("a:b}", b'"\xc3\xa9"'),
        Member("alice", b'{"n":"alice"}'),
        Member("zoë ♥", None),
    ]


async def test_nobody_anywhere_is_an_empty_snapshot(store: PresenceStore, world: World) -> None:
    snapshot = await store.snapshot(world.realm, HELLO)

    assert (snapshot.version, snapshot.members, snapshot.connections) == (0, [], 0)


async def test_realms_and_channels_never_meet(store: PresenceStore, world: World) -> None:
    await _report(store, world, "e1", alice=1)

    assert (await store.snapshot(RealmId("other"), HELLO)).members == []
    assert (await store.snapshot(world.realm, ChannelName("other"))).members == []
    assert await store.read_events(RealmId("other")) == []


async def test_every_event_is_kept_once_in_order_with_an_id_of_its_own(store: PresenceStore, world: World) -> None:
    await _report(store, world, "e1", alice=1)
    await _report(store, world, "e1", alice=1)
    await _report(store, world, "e1", alice=0)

    events = await store.read_events(world.realm)

    assert [(one.event.kind, one.event.user) for one in events] == [
        ("joined", "alice"),
        ("occupied", ""),
        ("left", "alice"),
        ("vacated", ""),
    ]
    assert len({one.id for one in events}) == 4
    assert {one.channel for one in events} == {HELLO}
    assert await store.read_events(world.realm, after=events[1].cursor) == events[2:]
    assert await store.read_events(world.realm, limit=2) == events[:2]


async def test_two_edges_at_once_make_each_event_once(store: PresenceStore, world: World) -> None:
    await asyncio.gather(*(_report(store, world, f"e{number % 4}", alice=1) for number in range(20)))
    await asyncio.gather(*(_report(store, world, f"e{number % 4}", alice=0) for number in range(20)))

    kinds = [one.event.kind for one in await store.read_events(world.realm)]
    assert sorted(kinds) == ["joined", "left", "occupied", "vacated"]


async def test_what_nobody_wants_kept_is_not(store: PresenceStore, world: World) -> None:
    report = ChannelReport(_users(alice=1), 1, 0, keeps_events=False)

    outcome = await store.report(world.realm, HELLO, "e1", report)

    assert len(outcome.events) == 2
    assert await store.read_events(world.realm) == []


async def test_a_dead_edges_members_leave_and_it_can_report_no_more(store: PresenceStore, world: World) -> None:
    await _report(store, world, "dead", alice=1, bob=1)
    await _report(store, world, "alive", bob=1)

    outcome = await store.remove(world.realm, HELLO, "dead")

    assert _kinds(outcome) == [("left", "alice")]
    with pytest.raises(Fenced):
        await _report(store, world, "dead", alice=1)
    assert _kinds(await _report(store, world, "born again", alice=1)) == [("joined", "alice")]


async def test_a_silent_edge_is_named_and_cleaned_up_by_one(store: PresenceStore, world: World) -> None:
    dead, one, two = (secrets.token_hex(8) for _ in range(3))
    await _report(store, world, dead, alice=1)
    for edge in (dead, one, two):
        await store.beat(edge, is_first=True)
    for _ in range(4):
        await world.pass_time(LEASE_S / 3)
        for edge in (one, two):
            beat = await store.beat(edge, is_first=False)
            assert not beat.is_gone

    assert dead in beat.silent
    assert one not in beat.silent
    assert await store.channels_of(dead) == [(world.realm, HELLO)]
    await store.remove(world.realm, HELLO, dead)
    await store.forget(dead)
    assert dead not in (await store.beat(one, is_first=False)).silent
    assert (await store.beat(dead, is_first=False)).is_gone


async def test_nobody_is_dead_because_nobody_could_say_anything(store: PresenceStore, world: World) -> None:
    one, two = secrets.token_hex(8), secrets.token_hex(8)
    for edge in (one, two):
        await store.beat(edge, is_first=True)
    await world.pass_time(LEASE_S * 1.2)

    assert two not in (await store.beat(one, is_first=False)).silent
    assert one not in (await store.beat(two, is_first=False)).silent
