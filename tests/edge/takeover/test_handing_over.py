"""The old edge's side of a takeover when things go wrong: it goes on serving, and nobody misses an item."""

import asyncio

import pytest

from fanoutcloud.edge.selection.following import Following
from fanoutcloud.edge.takeover import handing_over, messages, state
from tests.edge.takeover.handover_scripts import PING, ScriptedNew, close_all, read_numbers
from tests.edge.takeover.handover_worlds import Edge, Handover, greet, peers
from tests.edge.worlds import until


async def _begin(edge: Edge) -> tuple[ScriptedNew, "asyncio.Task[handing_over.HandedOver]"]:
    left, right = peers()
    return ScriptedNew(right), asyncio.create_task(edge.hand_over(left))


async def test_a_new_process_that_dies_with_a_batch_loses_nothing(handover: Handover) -> None:
    stream = await handover.old.stream()
    new, running = await _begin(handover.old)
    await new.greet()
    await new.receive_batch()
    await handover.publish(1)

    new.peer.close()
    done = await running
    await handover.publish(2)

    assert not done.is_replaced
    assert handover.old.server.is_listening
    assert await read_numbers(stream, 2) == [1, 2]


async def test_a_new_process_that_falls_silent_is_told_that_the_batch_is_not_its_own(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "ANSWER_TIMEOUT_S", 0.05)
    stream = await handover.old.stream()
    new, running = await _begin(handover.old)
    new.say(messages.Hello(messages.VERSION))
    new.say(messages.Accepting())
    new.say(messages.Subscribed())
    done = await running
    await handover.publish(1)

    heard = []
    while not isinstance(heard[-1] if heard else None, messages.Cancel):
        heard.append(await new.hear())
        close_all(new.descriptors)
    assert [type(message).__name__ for message in heard] == ["Listening", "Channels", "Batch", "Cancel"]
    assert not done.is_replaced
    assert await read_numbers(stream, 1) == [1]
    new.peer.close()


async def test_what_the_new_process_refuses_stays_and_is_not_offered_again(handover: Handover) -> None:
    stream = await handover.old.stream()
    new, running = await _begin(handover.old)
    await new.greet()
    batch = await new.receive_batch()

    new.say(messages.Have(batch.number, [0]))
    assert await new.hear() == messages.Yours(batch.number)
    assert await new.hear() == messages.Done(moved=0, left=1)
    new.say(messages.Bye())
    done = await running
    await handover.publish(1)

    assert (done.is_replaced, done.left) == (True, 1)
    assert await read_numbers(stream, 1) == [1]
    new.peer.close()


async def test_another_version_gets_the_listening_socket_and_no_connection(handover: Handover) -> None:
    await handover.old.stream()
    left, right = peers()
    running = asyncio.create_task(handover.old.hand_over(left))

    listening = await greet(right, version=messages.VERSION + 1)
    right.send(messages.encode(messages.Accepting()))
    done = await running

    assert listening.version == messages.VERSION
    assert (done.is_replaced, done.moved, done.left) == (True, 0, 1), "it is to drain now"
    assert not handover.old.server.is_listening
    right.close()


async def test_who_only_looks_changes_nothing(handover: Handover) -> None:
    left, right = peers()
    right.close()

    done = await handover.old.hand_over(left)

    assert not done.is_replaced
    assert handover.old.server.is_listening


async def test_nonsense_ends_the_attempt(handover: Handover) -> None:
    stream = await handover.old.stream()
    new, running = await _begin(handover.old)
    await new.greet()
    await new.receive_batch()

    new.peer.send(b"what?")
    done = await running
    await handover.publish(1)

    assert not done.is_replaced
    assert await read_numbers(stream, 1) == [1]
    new.peer.close()


@pytest.mark.parametrize("begun", [PING[:1], PING[:7], b"\x01" + PING[1:]], ids=["head", "payload", "fragment"])
async def test_a_client_in_the_middle_of_a_message_is_waited_for(handover: Handover, begun: bytes) -> None:
    websocket = await handover.old.websocket()
    [held] = handover.old.server.connections
    websocket.writer.write(begun)
    await until(lambda: not held.is_at_rest)
    left, right = peers()
    both = asyncio.gather(handover.old.hand_over(left), handover.new.take_over(right))
    await until(lambda: not handover.old.server.is_listening)
    assert handover.new.hub.subscribers == set()

    websocket.writer.write(b"\x80\x80\x00\x00\x00\x00" if begun[0] == 1 else PING[len(begun) :])
    await websocket.read_until(b'"pong"}')
    handed_over, _ = await both

    assert (handed_over.moved, handed_over.left) == (1, 0)


async def test_a_client_that_does_not_end_its_message_is_left_to_be_drained(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "PATIENCE_S", 0.05)
    websocket = await handover.old.websocket()
    await handover.old.stream()
    websocket.writer.write(PING[:7])
    await until(lambda: not all(held.is_at_rest for held in handover.old.server.connections))

    handed_over, taken = await handover.run()

    assert (handed_over.is_replaced, handed_over.moved, handed_over.left) == (True, 1, 1)
    assert taken.left == 1


async def test_a_connection_with_tls_in_this_process_does_not_move(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    await handover.old.stream()
    [held] = handover.old.server.connections
    assert state.may_move(held)
    monkeypatch.setattr(held.transport, "get_extra_info", lambda name: object())

    assert not state.may_move(held)


async def test_a_connection_that_has_changed_hands_is_left_to_who_has_it_now(handover: Handover) -> None:
    """Else a request that became a poll meanwhile would move as a connection without a request, and wait for ever."""
    await handover.old.stream()
    [held] = handover.old.server.connections
    held.transport.set_protocol(asyncio.Protocol())

    assert state.depart(handover.old.hub, held) is None
    assert len(handover.old.hub.subscribers) == 1


async def test_connections_that_need_several_messages_all_come(
    handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "_MESSAGE_BYTES", 200)
    streams = [await handover.old.stream() for _ in range(7)]

    handed_over, _ = await handover.run()
    await handover.publish(1)

    assert handed_over.moved == 7
    assert [await read_numbers(stream, 1) for stream in streams] == [[1]] * 7


async def test_who_follows_patterns_stays_and_is_drained(handover: Handover) -> None:
    await handover.old.stream()
    [held] = handover.old.server.connections
    [subscriber] = handover.old.hub.subscribers
    subscriber.following = Following()

    assert not state.may_move(held)
