"""Presence over several edges: who is told what, how often, and what becomes of edges that die or only seem to."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fanoutcloud.broker.memory_presence import MemoryPresenceStore
from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.activity import PresenceChanged
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.presence.presence import Presence
from fanoutcloud.edge.presence.tally import GRACE_S
from tests.edge.reads_worlds import ReadWorld, read_world
from tests.edge.worlds import HELLO, REALM, EdgeWorld, Message, RecordingSubscriber, until
from tests.fakes.directory import FakeDirectory

COUNTED = ChannelRule(ChannelPattern(HELLO), presence=True, webhook_events=("occupied", "vacated"))


class PresenceWorld:
    """Two edges with presence, whose loops the test turns by hand."""

    def __init__(self, here: ReadWorld) -> None:
        self.here = here
        self.clock = here.world.clock
        self.store = MemoryPresenceStore(self.clock)
        self.directory = FakeDirectory(RealmSnapshot(REALM, (), Retention(), rules=make_rules([COUNTED])))
        self.edges = [
            Presence(hub, self.store, here.world.broker, self.directory, here.world.activity) for hub in here.hubs
        ]
        for hub, presence in zip(here.hubs, self.edges, strict=True):
            hub.local_channels.presence = presence

    async def join(
        self, edge: int, user: str = "", *, watches: bool = False, channel: str = HELLO
    ) -> RecordingSubscriber:
        subscriber = RecordingSubscriber()
        subscriber.grant = Grant(user=user) if user else ANONYMOUS
        subscriber.watched = frozenset([ChannelName(channel)]) if watches else frozenset()
        self.here.hubs[edge].register(subscriber)
        await self.here.hubs[edge].join(subscriber, [(ChannelName(channel), None)])
        return subscriber

    async def pass_time(self, seconds: float, *, dead: int | None = None) -> None:
        """Let all edges but a dead one live on for a time."""
        steps = max(1, int(seconds / 0.25))
        for _ in range(steps):
            self.clock.pass_time(seconds / steps)
            for number, edge in enumerate(self.edges):
                if number != dead:
                    await edge.beat()
                    await edge.flush()
                    await self.settle()
                    await edge.write_frames()

    async def settle(self) -> None:
        await until(lambda: not any(edge._loading for edge in self.edges))

    async def events(self) -> list[tuple[str, str]]:
        return [(one.event.kind, one.event.user) for one in await self.store.read_events(REALM)]


@pytest.fixture
async def presence(world: EdgeWorld) -> AsyncIterator[PresenceWorld]:
    async with read_world(world) as here:
        presence = PresenceWorld(here)
        await presence.pass_time(0.5)
        yield presence


def told(subscriber: RecordingSubscriber) -> list[Message]:
    return [message for message in subscriber.messages if message["type"] == "presence"]


async def test_who_watches_is_told_who_is_there_and_then_who_comes_and_goes(presence: PresenceWorld) -> None:
    await presence.join(0, "alice")
    await presence.pass_time(0.5)
    watcher = await presence.join(1, "bob", watches=True)
    await presence.pass_time(1)
    carol = await presence.join(0, "carol")
    await presence.pass_time(1)
    carol.on_lost()
    await presence.pass_time(GRACE_S + 1)

    first, *rest = told(watcher)
    assert first["members"][0] == {"user": "alice"}
    joined = [one["user"] for message in rest for one in message["joined"]]
    left = [user for message in rest for user in message["left"]]
    assert (joined[-1], left) == ("carol", ["carol"])
    assert rest[-1]["count"] == 2


async def test_who_does_not_watch_is_told_nothing(presence: PresenceWorld) -> None:
    quiet = await presence.join(0, "alice")
    await presence.join(1, "bob", watches=True)
    await presence.pass_time(2)

    assert told(quiet) == []


async def test_channels_without_a_rule_are_not_counted(presence: PresenceWorld) -> None:
    watcher = await presence.join(0, "alice", watches=True, channel="other")
    await presence.pass_time(1)

    assert told(watcher) == []
    [local] = presence.here.hubs[0].channels.values()
    assert local.tally is None
    assert local.view is None
    assert await presence.events() == []


async def test_a_user_on_two_edges_leaves_with_the_last_connection(presence: PresenceWorld) -> None:
    connections = [await presence.join(edge, "alice") for edge in (0, 1)]
    await presence.pass_time(1)
    connections[0].on_lost()
    await presence.pass_time(GRACE_S + 1)
    assert await presence.events() == [("joined", "alice"), ("occupied", "")]

    connections[1].on_lost()
    await presence.pass_time(GRACE_S + 1)
    assert await presence.events() == [("joined", "alice"), ("occupied", ""), ("left", "alice"), ("vacated", "")]


@pytest.mark.parametrize("edge", [0, 1])
async def test_who_reconnects_within_a_second_never_left(presence: PresenceWorld, edge: int) -> None:
    before = await presence.join(0, "alice")
    await presence.pass_time(1)

    before.on_lost()
    await presence.pass_time(1)
    await presence.join(edge, "alice")
    await presence.pass_time(5)

    assert await presence.events() == [("joined", "alice"), ("occupied", "")]


async def test_a_killed_edges_members_are_gone_within_five_seconds(presence: PresenceWorld) -> None:
    await presence.join(0, "alice")
    watcher = await presence.join(1, "bob", watches=True)
    await presence.pass_time(1)

    await presence.pass_time(5, dead=0)

    assert ("left", "alice") in await presence.events()
    assert [user for message in told(watcher)[1:] for user in message["left"]] == ["alice"]
    assert (await presence.edges[1].list_members(REALM, HELLO)).members[0].user == "bob"


async def test_what_else_a_killed_edge_had_is_cleared_up_with_it_and_again_if_that_fails(
    presence: PresenceWorld,
) -> None:
    told_of: list[str] = []

    async def clear_up(edge: str) -> None:
        told_of.append(edge)
        if len(told_of) == 1:
            raise Unavailable("not now", retry_after_s=1)

    presence.edges[1].on_dead = clear_up
    await presence.join(0, "alice")
    await presence.pass_time(1)

    await presence.pass_time(15, dead=0)

    assert told_of == [presence.edges[0].edge] * 2


async def test_nobody_on_a_killed_edge_is_gone_who_came_back_elsewhere(presence: PresenceWorld) -> None:
    await presence.join(0, "alice")
    await presence.pass_time(1)
    await presence.pass_time(1, dead=0)
    await presence.join(1, "alice")

    await presence.pass_time(6, dead=0)

    assert [one for one in await presence.events() if one[0] in ("left", "vacated")] == []


async def test_an_edge_that_was_only_paused_reports_all_anew_under_another_name(presence: PresenceWorld) -> None:
    await presence.join(0, "alice")
    await presence.join(1, "bob")
    await presence.pass_time(1)
    name = presence.edges[0].edge
    await presence.pass_time(5, dead=0)
    assert ("left", "alice") in await presence.events()

    await presence.pass_time(2)

    assert presence.edges[0].edge != name
    assert (await presence.events())[-1] == ("joined", "alice")
    assert {one.user for one in (await presence.store.snapshot(REALM, HELLO)).members} == {"alice", "bob"}


async def test_who_moves_to_another_process_never_left(presence: PresenceWorld) -> None:
    """As in a takeover: the old edge lets go, the new one takes the subscriber in, the old one ends."""
    subscriber = await presence.join(0, "alice")
    await presence.pass_time(1)

    presence.here.hubs[0].detach(subscriber)
    presence.here.hubs[1].register(subscriber)
    local = presence.here.hubs[1].local_channels.expect(REALM, HELLO)
    presence.here.hubs[1].local_channels.note_entered(subscriber, [local])
    await presence.pass_time(8, dead=0)

    assert await presence.events() == [("joined", "alice"), ("occupied", "")]


async def test_who_gets_a_token_later_is_somebody_then(presence: PresenceWorld) -> None:
    subscriber = await presence.join(0)
    await presence.pass_time(1)
    presence.here.hubs[0].set_grant(subscriber, Grant(user="late"))
    await presence.pass_time(2)

    snapshot = await presence.store.snapshot(REALM, HELLO)
    assert ([one.user for one in snapshot.members], snapshot.anonymous) == (["late"], 0)
    assert ("vacated", "") not in await presence.events()


async def test_a_lost_announcement_is_made_good_by_the_next_one(presence: PresenceWorld) -> None:
    watcher = await presence.join(1, "bob", watches=True)
    await presence.pass_time(1)
    key = (REALM, HELLO)
    unlisten = presence.edges[1]._unlisten[key]
    unlisten()
    await presence.join(0, "alice")
    await presence.pass_time(0.5)
    view = presence.edges[1]._views[key]
    presence.edges[1]._unlisten[key] = presence.here.world.broker.listen(
        f"presence:{REALM}/{HELLO}", lambda payload: presence.edges[1]._on_outcome(key, payload)
    )

    await presence.join(0, "carol")
    await presence.pass_time(1)

    assert sorted(view.members) == ["alice", "bob", "carol"]
    assert sorted(one["user"] for message in told(watcher)[1:] for one in message["joined"]) == ["alice", "carol"]


async def test_a_store_that_lost_everything_is_filled_again_and_followed(presence: PresenceWorld) -> None:
    watcher = await presence.join(1, "bob", watches=True)
    await presence.join(0, "alice")
    for _ in range(4):
        await presence.join(0)
        await presence.pass_time(1)
    view = presence.edges[1]._views[REALM, HELLO]
    assert (view.version or 0) > 3

    presence.store._channels.clear()
    for edge in presence.edges:
        for tally in edge._tallies.values():
            tally.repeat()
    await presence.pass_time(1)
    await presence.join(0, "carol")
    await presence.pass_time(1)

    assert sorted(view.members) == ["alice", "bob", "carol"]
    assert "carol" in [one["user"] for message in told(watcher)[1:] for one in message.get("joined", [])]


async def test_a_rule_that_comes_later_counts_those_who_are_there(presence: PresenceWorld) -> None:
    presence.directory.replace(RealmSnapshot(REALM, (), Retention()))
    subscriber = await presence.join(0, "alice")
    await presence.pass_time(1)
    assert await presence.events() == []

    presence.directory.replace(RealmSnapshot(REALM, (), Retention(), rules=make_rules([COUNTED])))
    presence.edges[0].realm_changed(REALM)
    await until(lambda: presence.here.hubs[0].channels[REALM, HELLO].tally is not None)
    await presence.pass_time(1)
    assert ("joined", "alice") in await presence.events()

    presence.directory.replace(RealmSnapshot(REALM, (), Retention()))
    presence.edges[0].realm_changed(REALM)
    await until(lambda: presence.here.hubs[0].channels[REALM, HELLO].tally is None)
    subscriber.on_lost()
    await presence.pass_time(1)
    assert (await presence.store.snapshot(REALM, HELLO)).members == []


async def test_ten_thousand_members_cost_each_watcher_two_short_frames_per_second(presence: PresenceWorld) -> None:
    watcher = await presence.join(1, "watcher", watches=True)
    await presence.pass_time(1)
    watcher.sink.frames.clear()
    crowd = [await presence.join(0, f"user-{number}") for number in range(10_000)]

    for _ in range(8):  # a second: flushed four times, told twice
        presence.clock.pass_time(0.125)
        for edge in presence.edges:
            await edge.flush()
    for edge in presence.edges:
        await edge.write_frames()
        await edge.write_frames()

    frames = told(watcher)
    assert len(frames) == 1
    assert frames[0] == {"type": "presence", "channel": HELLO, "count": 10_001, "anonymous": 0, "partial": True}
    assert len(crowd) == 10_000

    crowd[0].on_lost()
    await presence.pass_time(GRACE_S + 1)
    assert [user for message in told(watcher)[1:] for user in message["left"]] == ["user-0"]


async def test_many_who_ask_cost_one_look_at_the_store(presence: PresenceWorld) -> None:
    await presence.join(0, *["alice"])
    await presence.pass_time(1)
    looks = []
    snapshot = presence.store.snapshot

    async def counted(*key: Any) -> Any:
        looks.append(key)
        return await snapshot(*key)

    presence.store.snapshot = counted  # type: ignore[method-assign]
    for _ in range(20):
        assert len((await presence.edges[1].list_members(REALM, HELLO)).members) == 1
    assert len(looks) == 1


async def test_the_owner_sees_it(presence: PresenceWorld) -> None:
    await presence.join(0, "alice")
    await presence.pass_time(1)

    [event] = presence.here.world.events(PresenceChanged)
    assert (event.joined, event.occupancy, event.members) == (["alice"], "occupied", 1)


async def test_unused_it_leaves_channels_as_they_were(presence: PresenceWorld) -> None:
    for number in range(5):
        await presence.join(0, "alice", channel=f"c{number}")
    await presence.pass_time(1)

    assert presence.edges[0]._tallies == presence.edges[0]._views == {}
