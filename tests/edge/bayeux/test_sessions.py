"""Bayeux clients that come, go, and are given up: with a clock that obeys the test."""

import asyncio
import json

import pytest

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.bayeux.messages import write_batch
from fanoutcloud.edge.bayeux.session import MAX_QUEUED_ITEMS, REPEATED_AFTER_S, BayeuxSession
from fanoutcloud.edge.bayeux.sessions import ABSENT_S, HANDSHAKE_S, Sessions
from tests.edge.bayeux.clients import Client, numbers
from tests.edge.worlds import REALM, EdgeWorld


@pytest.fixture
def sessions(world: EdgeWorld) -> Sessions:
    return Sessions(world.hub)


@pytest.fixture
async def client(world: EdgeWorld, sessions: Sessions) -> Client:
    client = Client(world.hub, sessions)
    await client.begin()
    return client


def rest(sessions: Sessions, client: Client) -> BayeuxSession:
    session = sessions.find(REALM, client.client_id)
    assert session is not None
    sessions.rest(session)
    return session


async def test_who_does_not_connect_after_a_handshake_is_given_up_soon(world: EdgeWorld, sessions: Sessions) -> None:
    session = sessions.open(REALM, address="192.0.2.1")
    world.clock.pass_time(HANDSHAKE_S)
    sessions.sweep()

    assert (len(sessions), session.is_closed, world.hub.subscribers) == (0, True, set())


async def test_who_stays_away_is_given_up_and_unknown_then(
    world: EdgeWorld, sessions: Sessions, client: Client
) -> None:
    rest(sessions, client)
    world.clock.pass_time(ABSENT_S - 1)
    sessions.sweep()
    assert (await client.connect())[0]["successful"]
    rest(sessions, client)
    world.clock.pass_time(ABSENT_S)
    sessions.sweep()

    [reply] = await client.connect()
    assert reply["advice"]["reconnect"] == "handshake"
    assert world.hub.subscribers == set()


async def test_a_held_connect_keeps_the_client(world: EdgeWorld, sessions: Sessions, client: Client) -> None:
    session = sessions.find(REALM, client.client_id)
    assert session is not None
    session.wake = lambda: None
    sessions.rest(session)
    world.clock.pass_time(10 * ABSENT_S)
    sessions.sweep()

    assert sessions.find(REALM, client.client_id) is session


async def test_no_other_realm_finds_a_client(sessions: Sessions, client: Client) -> None:
    assert sessions.find(RealmId("other"), client.client_id) is None


async def test_a_full_process_gives_up_those_who_only_shook_hands_first(world: EdgeWorld) -> None:
    sessions = Sessions(world.hub, max_sessions=2)
    first, second = (sessions.open(REALM, address="192.0.2.1") for _ in range(2))
    sessions.find(REALM, first.client_id)

    third = sessions.open(REALM, address="192.0.2.1")
    sessions.find(REALM, third.client_id)

    assert (first.is_closed, second.is_closed) == (False, True)
    with pytest.raises(Unavailable):
        sessions.open(REALM, address="192.0.2.1")


async def test_a_full_queue_leaves_the_rest_to_history(world: EdgeWorld, client: Client) -> None:
    count = 3 * MAX_QUEUED_ITEMS + 7
    await world.publish(*range(count))

    received: list[int] = []
    while len(received) < count:
        received += numbers(await client.connect())
        for _ in range(20):  # the session comes back to the channel meanwhile
            await asyncio.sleep(0)

    assert received == list(range(count))


async def test_a_connect_that_is_repeated_after_a_while_gets_the_same_again(world: EdgeWorld, client: Client) -> None:
    await client.connect("a")
    await world.publish(1, 2)
    first = await client.connect("b")
    world.clock.pass_time(REPEATED_AFTER_S)
    await world.publish(3)
    again = await client.connect("b")
    later = await client.connect("c")

    assert [numbers(replies) for replies in (first, again, later)] == [[1, 2], [1, 2, 3], []]


async def test_who_gives_all_connects_one_id_gets_nothing_twice(world: EdgeWorld, client: Client) -> None:
    received = []
    for number in range(4):
        await world.publish(number)
        received += numbers(await client.connect("x"))
        world.clock.pass_time(REPEATED_AFTER_S)

    assert received == [0, 1, 2, 3]


async def test_a_client_of_an_edge_that_drains_is_sent_to_shake_hands(
    world: EdgeWorld, sessions: Sessions, client: Client
) -> None:
    answer = await client.ask(channel="/meta/connect", connectionType="long-polling")
    await world.publish(1)
    assert answer.session is not None
    answer.session.close(CloseReason.DRAINING)

    reply, item = json.loads(write_batch(answer.messages()))
    assert (reply["successful"], reply["advice"]) == (False, {"reconnect": "handshake", "interval": 0})
    assert item["data"] == 1  # what was there already goes with it


async def test_a_client_of_a_realm_that_was_deleted_is_sent_away(world: EdgeWorld, client: Client) -> None:
    answer = await client.ask(channel="/meta/connect", connectionType="long-polling")
    world.hub.close_realm(REALM)

    [reply] = json.loads(write_batch(answer.messages()))
    assert reply["advice"] == {"reconnect": "none"}
