"""One edge takes over from another: the connection stays, and no item is missed or comes twice."""

import asyncio
import json
from pathlib import Path

import pytest

from fanoutcloud.core.access import Grant, Permission
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmKey, RealmSnapshot
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.revocations import Revocations
from fanoutcloud.edge.selection.wishes import read_wish
from fanoutcloud.edge.takeover import taking_over
from fanoutcloud.edge.takeover.taking_over import NothingToTakeOver, find_predecessor, messages
from tests.edge.takeover.handover_scripts import PING, ScriptedNew, ScriptedOld, read_numbers
from tests.edge.takeover.handover_worlds import Client, Handover, peers
from tests.edge.worlds import HELLO, KEEP, REALM, until
from tests.fakes.directory import FakeDirectory


async def _poll_body(client: Client) -> dict[str, list[dict[str, int]]]:
    head = await client.read_until(b"\r\n\r\n")
    length = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
    body: dict[str, list[dict[str, int]]] = json.loads(await client.read(length))
    return body


async def test_streams_and_websockets_go_on_without_noticing(handover: Handover) -> None:
    stream, websocket = await handover.old.stream(), await handover.old.websocket()
    await handover.publish(1, 2)

    handed_over, taken = await handover.run()
    await handover.publish(3, 4)

    assert (handed_over.moved, handed_over.left, taken.connections, taken.left) == (2, 0, 2, 0)
    assert await read_numbers(stream, 4) == await read_numbers(websocket, 4) == [1, 2, 3, 4]
    assert not stream.reader.at_eof()


async def test_the_old_edge_forgets_them_and_the_new_one_knows_them_by_the_same_names(handover: Handover) -> None:
    await handover.old.stream()
    [before] = handover.old.hub.subscribers
    name = before.connection

    await handover.run()

    [after] = handover.new.hub.subscribers
    assert (after.connection, after.realm, after.address, after.channels) == (name, REALM, "192.0.2.1", [HELLO])
    assert handover.old.hub.subscribers == handover.old.server.connections == set()


async def test_what_subscribers_wish_for_goes_with_them(handover: Handover) -> None:
    await handover.old.websocket()
    [before] = handover.old.hub.subscribers
    handover.old.hub.leave(before, HELLO)
    before.set_wish(HELLO, read_wish({"filter": "n == 1"}))
    await handover.old.hub.join(before, [(HELLO, None)])

    await handover.run()

    [after] = handover.new.hub.subscribers
    assert after.wishes == before.wishes != {}
    [local] = handover.new.hub.channels.values()
    assert list(local.selected or ()) == [after]


async def test_a_poll_is_answered_by_the_new_edge_and_its_connection_goes_back_to_http(handover: Handover) -> None:
    poll = await handover.old.poll()
    poll.writer.write(b"GET /ahead")
    await until(lambda: any(connection.early for connection in handover.old.server.connections))

    await handover.run()
    await handover.publish(1)

    assert [item["data"] for item in (await _poll_body(poll))["items"]] == [1]
    assert handover.new.server.began_http == [b"GET /ahead"]


async def test_a_poll_ends_when_its_own_time_is_up(handover: Handover) -> None:
    poll = await handover.old.poll(timeout_s=0.2)

    await handover.run()

    assert (await _poll_body(poll))["items"] == []


async def test_a_client_that_has_spoken_can_go_on_speaking(handover: Handover) -> None:
    websocket = await handover.old.websocket()
    websocket.writer.write(PING)
    await websocket.read_until(b'"pong"}')

    await handover.run()
    websocket.writer.write(PING)

    assert b'"pong"' in await websocket.read_until(b'"pong"}')
    assert handover.old.hub.subscribers == set(), "the new edge answers"


async def test_what_a_client_says_in_between_is_not_lost(handover: Handover) -> None:
    websocket = await handover.old.websocket()
    left, right = peers()
    handing_over = asyncio.create_task(handover.old.hand_over(left))
    new = ScriptedNew(right)
    await new.greet()
    await new.receive_batch()
    websocket.writer.write(PING)  # nobody reads it now
    right.close()
    await handing_over
    assert len(handover.old.hub.subscribers) == 1, "it was taken back"

    await handover.run()

    assert b'"pong"' in await websocket.read_until(b'"pong"}')


async def test_items_published_between_the_two_are_caught_up_once(handover: Handover) -> None:
    clients = [await handover.old.stream() for _ in range(5)]
    left, right = peers()
    handing_over = asyncio.create_task(handover.old.hand_over(left))
    taking_over = asyncio.create_task(handover.new.take_over(right))
    for number in range(1, 200):
        await handover.publish(number)
        await asyncio.sleep(0)
    await asyncio.gather(handing_over, taking_over)
    await handover.publish(200)

    for client in clients:
        assert await read_numbers(client, 200) == list(range(1, 201))
        assert not client.reader.at_eof()


async def test_two_takeovers_in_a_row(handover: Handover) -> None:
    stream = await handover.old.stream()

    await handover.run()
    await handover.publish(1)
    handover.old, handover.new = handover.new, handover.old
    await handover.run()
    await handover.publish(2)

    assert await read_numbers(stream, 2) == [1, 2]


async def test_the_client_gets_a_sign_of_life_since_the_last_one_may_be_old(handover: Handover) -> None:
    stream = await handover.old.stream()

    await handover.run()

    assert b'"keep-alive"' in await stream.read_until(b"}\n\r\n")


async def test_a_realm_that_was_deleted_meanwhile_is_closed(handover: Handover) -> None:
    stream = await handover.old.stream()
    handover.new.directory = FakeDirectory()

    await handover.run()

    assert CloseReason.REALM_DELETED.reason.encode() in await stream.read_all()


async def test_channels_are_subscribed_before_anybody_comes(handover: Handover) -> None:
    for number in range(3):
        await handover.old.stream(ChannelName(f"c{number}"))
    left, right = peers()
    handing_over = asyncio.create_task(handover.old.hand_over(left))
    new = ScriptedNew(right)

    await new.greet()

    assert sorted(new.channels) == [(REALM, "c0"), (REALM, "c1"), (REALM, "c2")]
    right.close()
    await handing_over


async def test_nothing_is_delivered_before_the_old_edge_says_yours(handover: Handover) -> None:
    stream = await handover.old.stream()
    old = ScriptedOld(handover)
    await old.offer()

    assert handover.new.hub.subscribers == set()
    old.held.let_go()
    old.say(messages.Yours(1))
    old.say(messages.Done(1, 0))
    taken = await old.taking_over
    old.peer.close()
    await handover.publish(1)

    assert taken.connections == 1
    assert await read_numbers(stream, 1) == [1]


async def test_if_the_old_process_dies_the_new_one_keeps_what_it_has_got(handover: Handover) -> None:
    stream = await handover.old.stream()
    old = ScriptedOld(handover)
    await old.offer()

    old.held.let_go()
    old.peer.close()
    taken = await old.taking_over
    await handover.publish(1)

    assert "has gone" in taken.failure
    assert await read_numbers(stream, 1) == [1]


async def test_what_the_old_process_takes_back_is_let_go_and_stays_open(handover: Handover) -> None:
    stream = await handover.old.stream()
    old = ScriptedOld(handover)
    await old.offer()

    old.say(messages.Cancel())
    old.peer.close()
    await old.taking_over
    old.held.write(b"still here")

    assert handover.new.hub.subscribers == handover.new.server.connections == set()
    assert await stream.read(10) == b"still here"


async def test_a_kind_that_the_new_process_does_not_know_is_refused_alone(handover: Handover) -> None:
    await handover.old.stream()
    old = ScriptedOld(handover)

    have = await old.offer(kind="carrier-pigeon")

    assert have.refused == [0]
    old.peer.close()
    await old.taking_over


async def test_an_old_process_that_falls_silent_is_left_alone(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_over, "ANSWER_TIMEOUT_S", 0.05)
    stream = await handover.old.stream()
    old = ScriptedOld(handover)
    await old.offer()

    taken = await old.taking_over
    old.held.write(b"still here")

    assert "does not go on" in taken.failure
    assert handover.new.hub.subscribers == set()
    assert await stream.read(10) == b"still here"
    old.peer.close()


async def test_without_an_edge_there_is_nothing_to_take_over(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    with pytest.raises(NothingToTakeOver, match="no edge answers at edge"):
        await find_predecessor(Path("edge.sock"))


async def test_what_a_token_gives_goes_with_its_connection(handover: Handover) -> None:
    permissions = (Permission(parse_pattern("hello"), frozenset({"subscribe", "publish"})),)
    grant = Grant("alice", b'{"a":1}', "t1", "17", 4e9, permissions, 5.0)
    await handover.old.stream()
    websocket = await handover.old.websocket()
    for before in handover.old.hub.subscribers:
        before.grant = grant
    handover.new.directory = FakeDirectory(RealmSnapshot(REALM, keys=(RealmKey("17", b"s"),), retention=KEEP))

    await handover.run()

    assert [after.grant for after in handover.new.hub.subscribers] == [grant, grant]
    assert not websocket.reader.at_eof()


async def test_who_was_revoked_meanwhile_is_closed(handover: Handover) -> None:
    stream = await handover.old.stream()
    [before] = handover.old.hub.subscribers
    before.grant = Grant("alice", key_id="17", expires_at=4e9)
    revoked = Revocations(users={"alice": 5.0})
    handover.new.directory = FakeDirectory(
        RealmSnapshot(REALM, keys=(RealmKey("17", b"s"),), retention=KEEP, revocations=revoked)
    )

    await handover.run()

    assert CloseReason.TOKEN_REVOKED.reason.encode() in await stream.read_all()
