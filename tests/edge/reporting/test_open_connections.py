"""The end of connections whose edge was killed: told by another, once, and of no connection that lives on elsewhere."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fanoutcloud.broker.redis_open_connections import OpenConnection
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.webhooks import WebhookInterest
from fanoutcloud.edge.reporting.happenings import Happenings
from fanoutcloud.edge.reporting.open_connections import OpenConnections
from tests.edge.reporting.test_happenings import Outbox
from tests.edge.worlds import REALM, EdgeWorld, RecordingSubscriber
from tests.fakes.activity import RecordingActivity
from tests.fakes.directory import FakeDirectory

QUIET = RealmId("00000000")
BOTH = ("connection.opened", "connection.closed")


class DictStore:
    """As `RedisOpenConnections`, which has a contract with Redis in tests/contracts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[RealmId, str], tuple[str, OpenConnection]] = {}

    async def write(self, edge: str, realm: RealmId, opened: Sequence[OpenConnection]) -> None:
        self.rows |= {(realm, one.connection): (edge, one) for one in opened}

    async def remove(self, realm: RealmId, connections: Sequence[str]) -> None:
        for connection in connections:
            self.rows.pop((realm, connection), None)

    async def realms_of(self, edge: str) -> list[RealmId]:
        return sorted({realm for (realm, _), (owner, _) in self.rows.items() if owner == edge})

    async def of_edge(self, realm: RealmId, edge: str) -> list[OpenConnection]:
        return [one for (whose, _), (owner, one) in self.rows.items() if (whose, owner) == (realm, edge)]

    async def forget(self, edge: str) -> None: ...


class WatchedOutbox(Outbox):
    """Notes how many connections are written down when something is put."""

    def __init__(self, store: DictStore) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []
        self._store = store

    async def put(self, events: Any) -> None:
        await super().put(events)
        self.seen.append((self.events[-1].kind, len(self._store.rows)))


class Edge:
    """One edge, as the composition puts it together. All have the hub of the world, and so its connections."""

    def __init__(self, world: EdgeWorld, store: DictStore, outbox: Outbox, name: str, kinds: Sequence[str]) -> None:
        wants = WebhookInterest(tuple((kind, (parse_pattern("*"),)) for kind in kinds))
        quiet = RealmSnapshot(QUIET, (), Retention(items=1, age_s=1))
        directory = FakeDirectory(RealmSnapshot(REALM, (), Retention(items=1, age_s=1), webhooks=wants), quiet)
        self.name, self.hub = name, world.hub
        self.happenings = Happenings(RecordingActivity(QUIET), outbox, directory, world.clock)
        self.book = OpenConnections(
            store,
            hub=world.hub,
            happenings=self.happenings,
            directory=directory,
            outbox=outbox,
            edge_name=lambda: self.name,
        )
        self.happenings.open_connections = self.book
        self.hub.happenings = self.happenings

    async def connect(self, realm: RealmId = REALM) -> RecordingSubscriber:
        subscriber = RecordingSubscriber(realm=realm)
        self.hub.register(subscriber)
        self.hub.tell_connected(subscriber)
        await self.happenings._put_all()
        return subscriber

    async def lose(self, subscriber: RecordingSubscriber) -> None:
        subscriber.on_lost()
        await self.happenings._put_all()


@pytest.fixture
def store() -> DictStore:
    return DictStore()


@pytest.fixture
def outbox(store: DictStore) -> WatchedOutbox:
    return WatchedOutbox(store)


def ends(outbox: Outbox) -> list[str]:
    return [json.loads(event.data)["connection"] for event in outbox.events if event.kind == "connection.closed"]


async def test_what_a_dead_edge_had_is_told_by_another_under_the_id_that_it_would_have_used(
    world: EdgeWorld, store: DictStore, outbox: WatchedOutbox
) -> None:
    dead = Edge(world, store, outbox, "dead", BOTH)
    gone, here = await dead.connect(), await dead.connect()
    await dead.connect(QUIET)
    await dead.lose(gone)
    survivor = Edge(world, store, outbox, "survivor", BOTH)

    for _ in range(2):
        await survivor.book.tell_of_dead("dead")

    assert ends(outbox) == [gone.connection, here.connection]
    assert outbox.events[-1].key == f"closed:{here.connection}"
    assert json.loads(outbox.events[-1].data)["reason"] == "edge-lost"
    assert store.rows == {}


async def test_connections_are_written_down_before_they_are_told_and_crossed_out_after(
    world: EdgeWorld, store: DictStore, outbox: WatchedOutbox
) -> None:
    edge = Edge(world, store, outbox, "edge", BOTH)

    await edge.lose(await edge.connect())

    assert outbox.seen == [("connection.opened", 1), ("connection.closed", 1)]
    assert store.rows == {}


async def test_one_that_has_moved_to_another_edge_is_not_told(
    world: EdgeWorld, store: DictStore, outbox: WatchedOutbox
) -> None:
    await Edge(world, store, outbox, "before", ["connection.closed"]).connect()
    after = Edge(world, store, outbox, "after", ["connection.closed"])
    await after.book.look()

    await after.book.tell_of_dead("before")

    assert ends(outbox) == []
    assert [owner for owner, _ in store.rows.values()] == ["after"]


async def test_an_edge_that_was_taken_for_dead_and_lives_tells_its_connections_anew(
    world: EdgeWorld, store: DictStore, outbox: WatchedOutbox
) -> None:
    edge = Edge(world, store, outbox, "first", BOTH)
    subscriber = await edge.connect()
    await Edge(world, store, outbox, "other", BOTH).book.tell_of_dead("first")
    edge.hub.happenings, edge.name = edge.happenings, "second"

    await edge.book.look()
    await edge.lose(subscriber)

    assert [(event.kind, event.key.count("second")) for event in outbox.events] == [
        ("connection.opened", 0), ("connection.closed", 0), ("connection.opened", 1), ("connection.closed", 1),
    ]  # fmt: skip


async def test_nothing_is_written_down_for_realms_that_do_not_ask(
    world: EdgeWorld, store: DictStore, outbox: WatchedOutbox
) -> None:
    edge = Edge(world, store, outbox, "edge", ["connection.opened"])
    await edge.connect()
    await edge.book.look()

    assert store.rows == {}
