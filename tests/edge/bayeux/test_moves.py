"""Bayeux clients that come to one edge and then to another: the session follows, and nothing is lost or told twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.access import Grant
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.bayeux import moves as moves_module
from fanoutcloud.edge.bayeux.moves import COMING, GIVEN_S, NOT_HERE, Moves
from fanoutcloud.edge.bayeux.session import MAX_QUEUED_ITEMS, REPEATED_AFTER_S
from fanoutcloud.edge.bayeux.session_state import unpack_state
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.reporting.census import Census, TakeSession
from tests.edge.bayeux.clients import Client, numbers
from tests.edge.takeover.handover_worlds import Both
from tests.edge.worlds import HELLO, PATIENCE_S, REALM, EdgeWorld, until

OTHER_REALM = RealmId("ffffffff")


class Edge:
    """One edge of some."""

    def __init__(self, world: EdgeWorld, hub: Hub) -> None:
        self.hub = hub
        census = Census(hub)
        self.roll_call = RollCall(world.broker, world.clock, census.answer)
        self.sessions = Sessions(hub)
        self.moves = Moves(hub, self.sessions, self.roll_call)
        census.give_session = self.moves.give

    def take(self, client: Client, *, number: int = 1, realm: RealmId = REALM) -> bytes:
        """Answer an edge that asks for the client's session."""
        return self.moves.give(TakeSession(realm, client.client_id, "another", number))


class Edges:
    """Three edges, and a client that subscribed to `hello` at the first."""

    def __init__(self, world: EdgeWorld, edges: list[Edge]) -> None:
        self.world = world
        self.all = edges
        self.client = Client(world.hub, edges[0].sessions, edges[0].moves)

    def go_to(self, number: int) -> Client:
        """Have the client say what follows at that edge."""
        edge = self.all[number]
        self.client.come_to(edge.hub, edge.sessions, edge.moves)
        return self.client

    @property
    def where(self) -> list[int]:
        """Which edges have sessions."""
        return [number for number, edge in enumerate(self.all) if len(edge.sessions)]


@pytest.fixture
async def edges(world: EdgeWorld) -> AsyncIterator[Edges]:
    hubs = [Hub(broker=world.broker, activity=world.activity, limits=world.limits, clock=world.clock) for _ in range(2)]
    world.broker.attach(Both(world.hub, *hubs))
    stop = asyncio.Event()
    started = asyncio.Event()
    edges = Edges(world, [Edge(world, hub) for hub in (world.hub, *hubs)])

    async def run() -> None:
        async with asyncio.TaskGroup() as tasks:
            for hub in hubs:
                hub.own_tasks(tasks)
            running = [tasks.create_task(edge.roll_call.run()) for edge in edges.all]
            started.set()
            await stop.wait()
            for task in running:
                task.cancel()
            for edge in edges.all:
                for subscriber in list(edge.hub.subscribers):
                    subscriber.on_lost()
                edge.sessions._is_sweeping = True

    owner = asyncio.create_task(run())
    await started.wait()
    await until(lambda: all(len(edge.roll_call.present()) == 3 for edge in edges.all))
    await edges.client.begin()
    yield edges
    owner.cancel()
    await asyncio.wait([owner])


def advice(reply: dict[str, Any]) -> Any:
    return reply["advice"]["reconnect"]


async def test_the_session_follows_and_forgets_nothing(world: EdgeWorld, edges: Edges) -> None:
    await world.publish(1, 2)

    first, *items = await edges.go_to(1).connect()

    assert (advice(first), numbers(items), edges.where) == ("retry", [1, 2], [1])
    assert not world.hub.subscribers
    await world.publish(3)
    assert numbers(await edges.go_to(2).connect()) == [3]
    await world.publish(4)
    assert numbers(await edges.go_to(0).connect()) == [4]
    assert edges.where == [0]


async def test_a_client_that_alternates_gets_each_item_once(world: EdgeWorld, edges: Edges) -> None:
    got = []
    for number in range(60):
        await world.publish(number)
        got += numbers(await edges.go_to(number % 3).connect(str(number)))

    assert got == list(range(60))


async def test_items_that_had_no_room_come_from_history(world: EdgeWorld, edges: Edges) -> None:
    count = MAX_QUEUED_ITEMS + 100
    await world.publish(*range(count))

    got = numbers(await edges.go_to(1).connect("1"))
    while len(got) < count:
        async with asyncio.timeout(PATIENCE_S):
            got += numbers(await edges.client.connect(str(len(got) + 2)))
            await asyncio.sleep(0)

    assert got == list(range(count))


async def test_a_held_connect_ends_well_where_the_session_leaves(edges: Edges) -> None:
    held = await edges.client.ask(channel="/meta/connect", connectionType="long-polling")
    assert held.session is not None
    woken = []
    held.session.wake = lambda: woken.append(True)

    [reply] = await edges.go_to(1).say(channel="/meta/subscribe", subscription="/other")

    assert (reply["successful"], woken, edges.where) == (True, [True], [1])
    [message] = held.messages()
    assert b'"successful":true' in message
    assert b"handshake" not in message


async def test_an_answer_that_was_lost_is_told_again_at_another_edge(world: EdgeWorld, edges: Edges) -> None:
    await edges.client.connect("1")
    await world.publish(1)
    assert numbers(await edges.client.connect("2")) == [1]
    world.clock.pass_time(REPEATED_AFTER_S)

    assert numbers(await edges.go_to(1).connect("2")) == [1]


async def test_the_grant_and_the_name_go_along(edges: Edges) -> None:
    session = edges.all[0].sessions.peek(REALM, edges.client.client_id)
    assert session is not None
    session.grant = Grant(user="ann")

    await edges.go_to(1).connect()

    moved = edges.all[1].sessions.peek(REALM, edges.client.client_id)
    assert moved is not None
    assert (moved.grant, moved.connection) == (Grant(user="ann"), session.connection)


async def test_unsubscribing_at_another_edge_holds(world: EdgeWorld, edges: Edges) -> None:
    await edges.go_to(1).say(channel="/meta/unsubscribe", subscription=f"/{HELLO}")
    await world.publish(1)

    assert numbers(await edges.client.connect()) == []


async def test_a_realm_gets_no_session_of_another(edges: Edges) -> None:
    edge = edges.all[1]
    edges.client.come_to(edge.hub, edge.sessions, edge.moves, RealmSnapshot(OTHER_REALM, (), Retention()))

    [reply] = await edges.client.connect()

    assert (reply["successful"], advice(reply), edges.where) == (False, "handshake", [0])
    assert edges.all[0].take(edges.client, realm=OTHER_REALM) == NOT_HERE


async def test_who_is_nowhere_shakes_hands_anew(edges: Edges) -> None:
    for name in ("x" * 32, "no name of ours"):
        edges.client.client_id = name
        [reply] = await edges.go_to(1).connect()
        assert (reply["successful"], advice(reply)) == (False, "handshake")


async def test_a_session_is_not_taken_while_something_is_done_with_it(edges: Edges) -> None:
    session = edges.all[0].sessions.peek(REALM, edges.client.client_id)
    assert session is not None
    with session.in_use():
        assert edges.all[0].take(edges.client) == COMING
        connecting = asyncio.create_task(edges.go_to(1).connect())
        await until(lambda: bool(edges.all[1].moves._seeking))
        await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE_S):
        [reply] = await connecting
    assert reply["successful"]


async def test_an_edge_that_awaits_a_session_says_so(edges: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves_module, "SEEK_S", 0.1)
    edges.client.client_id = "x" * 32
    seeking = [asyncio.create_task(edge.moves.find(REALM, "x" * 32)) for edge in edges.all[:2]]
    await until(lambda: all(edge.moves._seeking for edge in edges.all[:2]))

    assert edges.all[0].take(edges.client) == COMING
    async with asyncio.timeout(PATIENCE_S):  # each hears of the other that it comes, but not for ever
        assert await asyncio.gather(*seeking) == [None, None]


async def test_two_requests_at_once_bring_it_once(edges: Edges) -> None:
    edge = edges.all[1]
    found = await asyncio.gather(*(edge.moves.find(REALM, edges.client.client_id) for _ in range(5)))

    assert len(set(found)) == 1
    assert found[0] is not None
    assert edges.where == [1]


async def test_requests_at_two_edges_at_once_both_find_it(edges: Edges) -> None:
    for _ in range(20):
        found = await asyncio.gather(
            *(edge.moves.find(REALM, edges.client.client_id) for edge in edges.all for _ in range(2))
        )

        assert None not in found
        assert len(edges.where) == 1


async def test_an_answer_that_came_too_late_is_given_again_to_the_same(world: EdgeWorld, edges: Edges) -> None:
    packed = edges.all[0].take(edges.client)

    assert unpack_state(packed).client_id == edges.client.client_id
    assert edges.all[0].take(edges.client) == packed
    assert edges.all[0].take(edges.client, number=2) == NOT_HERE
    world.clock.pass_time(GIVEN_S)
    assert edges.all[0].take(edges.client) == NOT_HERE


async def test_too_many_are_not_sought(edges: Edges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves_module, "MAX_SEEKS", 0)

    [reply] = await edges.go_to(1).connect()

    assert advice(reply) == "handshake"
