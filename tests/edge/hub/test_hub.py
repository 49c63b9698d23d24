"""The registry and the fan-out: who gets what, and how often it is encoded."""

import asyncio

import pytest

from fanoutcloud.core.activity import Connected, Delivered, Disconnected
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.streams import EPOCH_CHANGED, PositionLost, StoredItem, StreamPosition
from fanoutcloud.edge.hub import gap_filling, hub
from fanoutcloud.edge.hub.hub import MAX_SNAPSHOT_SUBSCRIBERS
from tests.edge.worlds import HELLO, REALM, CountingWire, EdgeWorld, IndividualSubscriber, RecordingSubscriber, until


def _stored(position: StreamPosition, number: int) -> StoredItem:
    return StoredItem(position, Item(channel=HELLO, json_object=str(number).encode()))


async def test_all_subscribers_of_a_channel_share_one_broker_subscription(world: EdgeWorld) -> None:
    world.broker.hold("subscribe")
    subscribers = [RecordingSubscriber() for _ in range(5)]
    joins = [asyncio.create_task(world.join(subscriber)) for subscriber in subscribers]
    await until(lambda: world.broker.waiting("subscribe") > 0)

    world.broker.release("subscribe")
    await asyncio.gather(*joins)
    await world.join(RecordingSubscriber())
    await world.publish(7)

    assert world.broker.calls["subscribe"] == 1
    assert [subscriber.numbers for subscriber in subscribers] == [[7]] * 5


async def test_an_item_is_encoded_once_per_wire_format(world: EdgeWorld) -> None:
    wires = [CountingWire(), CountingWire()]
    subscribers = [await world.joined(wire) for wire in wires for _ in range(4)]

    await world.publish(1, 2, 3)

    assert [wire.encoded for wire in wires] == [3, 3]
    assert [subscriber.numbers for subscriber in subscribers] == [[1, 2, 3]] * 8


async def test_individuals_get_the_same_as_the_others(world: EdgeWorld) -> None:
    individual = IndividualSubscriber()
    await world.join(individual)
    shared = await world.joined()

    await world.publish(1, 2)

    assert individual.numbers == shared.numbers == [1, 2]


async def test_realms_never_meet(world: EdgeWorld) -> None:
    other_realm = RealmId("ffffffff")
    ours, theirs = await world.joined(), RecordingSubscriber(realm=other_realm)
    await world.join(theirs)

    await world.publish(1)
    await world.publish(2, realm=other_realm)

    assert (ours.numbers, theirs.numbers) == ([1], [2])


async def test_a_gap_in_live_items_is_filled_from_history(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2, 3)
    world.broker.lose_live(2)

    world.broker.release_live()
    await until(lambda: len(subscriber.numbers) == 3)
    await world.publish(4)

    assert subscriber.numbers == [1, 2, 3, 4]
    assert "reset" not in subscriber.kinds


async def test_items_that_come_while_a_gap_is_filled_wait_their_turn(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    world.broker.hold_live()
    world.broker.hold("read_since")
    await world.publish(1, 2)
    world.broker.lose_live(1)
    world.broker.release_live()
    await until(lambda: world.broker.waiting("read_since") == 1)
    await world.publish(3, 4)

    world.broker.release("read_since")
    await until(lambda: len(subscriber.numbers) == 4)

    assert subscriber.numbers == [1, 2, 3, 4]


@pytest.mark.parametrize("is_early", [True, False])
async def test_more_items_than_are_kept_while_a_gap_is_filled_are_read_from_history(
    world: EdgeWorld, monkeypatch: pytest.MonkeyPatch, is_early: bool
) -> None:
    for module in (gap_filling, hub):
        monkeypatch.setattr(module, "MAX_PENDING_ITEMS", 5)
    world.broker.answers_early = is_early
    subscriber = await world.joined()
    world.broker.hold_live()
    world.broker.hold("read_since")
    await world.publish(0, 1)
    world.broker.lose_live(1)
    world.broker.release_live()
    await until(lambda: world.broker.waiting("read_since") == 1)
    await world.publish(*range(2, 20))

    world.broker.release("read_since")
    await until(lambda: len(subscriber.numbers) >= 20)

    assert subscriber.numbers == list(range(20))


async def test_a_gap_that_history_no_longer_holds_is_told_reset(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2)
    world.clock.pass_time(301)  # nothing that old is kept
    await world.publish(3)
    world.broker.lose_live(2)

    world.broker.release_live()
    await until(lambda: "reset" in subscriber.kinds)
    await world.publish(4)

    reset = subscriber.messages[-2]
    assert (reset["type"], reset["reason"], reset["position"][-2:]) == ("reset", "history_expired", ":3")
    assert subscriber.numbers == [4]


async def test_a_duplicate_is_passed_over(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    await world.publish(1, 2)
    top = await world.top()

    world.hub.on_items([(REALM, HELLO, _stored(StreamPosition(top.epoch, 1), 1))])
    world.hub.on_items([(REALM, HELLO, _stored(top, 2))])

    assert subscriber.numbers == [1, 2]


async def test_what_is_left_of_an_epoch_is_delivered_before_the_reset(
    world: EdgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscriber = await world.joined()
    await world.publish(1)
    old = await world.top()
    new = StreamPosition("newepoch", 4)

    async def read_since(*args: object, limit: int) -> list[StoredItem]:
        since = args[-1]
        if since == old:
            return [_stored(StreamPosition(old.epoch, 2), 2)]
        if since == StreamPosition(old.epoch, 2):
            raise PositionLost(EPOCH_CHANGED, new)
        return [_stored(new, 9)]

    monkeypatch.setattr(world.broker, "read_since", read_since)

    world.hub.on_items([(REALM, HELLO, _stored(new, 9))])
    await until(lambda: len(subscriber.messages) >= 5)

    assert subscriber.kinds == ["subscribed", "item", "item", "reset", "item"]
    assert subscriber.numbers == [1, 2, 9]


class FaultyWire(CountingWire):
    """Can't write the second item."""

    def item(self, stored: StoredItem) -> bytes:
        if stored.item.json_object == b"2":
            raise ValueError("a fault of the wire format")
        return super().item(stored)


async def test_a_fault_with_one_of_the_items_that_come_together_spares_the_others(world: EdgeWorld) -> None:
    subscriber = await world.joined(FaultyWire())
    top = await world.top()
    items = [_stored(StreamPosition(top.epoch, top.offset + number), number) for number in (1, 2, 3)]

    world.hub.on_items([(REALM, HELLO, stored) for stored in items])
    await until(lambda: len(subscriber.numbers) > 1)

    edge = world.hub.ledger.edge
    assert subscriber.numbers == [1, 3]
    assert (edge.items_in, edge.items_out.total(), edge.fan_outs.count) == (3, 2, 2)
    assert edge.bytes_out > 0


async def test_items_of_channels_that_nobody_has_are_passed_over(world: EdgeWorld) -> None:
    world.hub.on_items([(REALM, HELLO, _stored(StreamPosition("anyepoch", 1), 1))])

    assert world.hub.channels == {}


async def test_items_before_the_broker_confirms_are_delivered_once(world: EdgeWorld) -> None:
    await world.publish(1)
    top = await world.top()
    world.broker.hold("subscribe")
    subscriber = RecordingSubscriber()
    join = asyncio.create_task(world.join(subscriber))
    await until(lambda: world.broker.waiting("subscribe") == 1)
    early = StreamPosition(top.epoch, 2)
    world.hub.on_items([(REALM, HELLO, _stored(early, 2))])

    world.broker.release("subscribe")
    await join
    await world.publish(2, 3)

    assert subscriber.numbers in ([3], [2, 3])  # 2 came early, or live; never twice


async def test_a_close_item_ends_a_whole_group(world: EdgeWorld) -> None:
    subscribers = [await world.joined() for _ in range(3)]

    await world.publish_item(http_stream=HttpStream(action="close"))

    assert [subscriber.sink.closed for subscriber in subscribers] == [(1000, "")] * 3
    assert world.hub.subscribers == set()
    assert world.hub.channels[REALM, HELLO].is_empty


async def test_a_subscriber_that_overflows_in_the_middle_of_a_broadcast_spares_the_others(world: EdgeWorld) -> None:
    before, slow, after = await world.joined(), RecordingSubscriber(), RecordingSubscriber()
    slow.sink.write = lambda frame: slow.on_overflow()  # type: ignore[method-assign] # over its limit from now on
    await world.join(after)
    local = world.hub.channels[REALM, HELLO]
    world.hub.register(slow)
    slow.channels.append(HELLO)
    local.add(slow)

    await world.publish(1, 2)

    assert slow.close_reason is CloseReason.SLOW
    assert (before.numbers, after.numbers) == ([1, 2], [1, 2])


async def test_leaving_a_channel_ends_its_items(world: EdgeWorld) -> None:
    subscriber = RecordingSubscriber()
    await world.join(subscriber, "a", "b")

    assert world.hub.leave(subscriber, HELLO) is False
    assert world.hub.leave(subscriber, subscriber.channels[0]) is True
    await world.publish(1, channel="a")
    await world.publish(2, channel="b")

    assert subscriber.numbers == [2]


async def test_unregistering_twice_tells_once(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    world.hub.tell_connected(subscriber)

    world.hub.unregister(subscriber)
    world.hub.unregister(subscriber)

    [connected], [disconnected] = world.events(Connected), world.events(Disconnected)
    assert connected.connection == disconnected.connection == subscriber.connection
    assert disconnected.reason == "client_left"
    assert world.hub.channels[REALM, HELLO].is_empty


async def test_closing_a_realm_ends_its_subscribers_and_no_others(world: EdgeWorld) -> None:
    ours, theirs = await world.joined(), RecordingSubscriber(realm=RealmId("ffffffff"))
    await world.join(theirs)

    world.hub.close_realm(REALM)

    assert ours.sink.closed == (3410, "realm_deleted")
    assert theirs.sink.closed is None


async def test_watchers_are_told_what_was_delivered_to_how_many(world: EdgeWorld) -> None:
    await world.joined()
    await world.joined()

    await world.publish(1)

    [delivered] = world.events(Delivered)
    assert (delivered.subscribers, delivered.by_transport) == (2, {"http-stream": 2})


async def test_a_new_watcher_is_told_of_some_of_those_who_are_there(world: EdgeWorld) -> None:
    for _ in range(MAX_SNAPSHOT_SUBSCRIBERS + 5):
        world.hub.register(RecordingSubscriber())

    world.hub.tell_all_connected(REALM)

    assert len(world.events(Connected)) == MAX_SNAPSHOT_SUBSCRIBERS


async def test_a_join_without_the_broker_raises_and_the_next_one_tries_again(world: EdgeWorld) -> None:
    world.broker.is_down = True
    with pytest.raises(Unavailable):
        await world.join(RecordingSubscriber())

    world.broker.is_down = False
    subscriber = await world.joined()
    await world.publish(1)

    assert subscriber.numbers == [1]


async def test_a_fault_of_the_broker_reaches_those_who_join(world: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*args: object) -> StreamPosition:
        raise ZeroDivisionError

    monkeypatch.setattr(world.broker, "subscribe", fail)

    with pytest.raises(ZeroDivisionError):
        await world.join(RecordingSubscriber())
    assert world.hub.channels == {}


async def test_filling_a_gap_is_tried_until_the_broker_answers(
    world: EdgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gap_filling, "FILL_RETRY_S", 0)
    subscriber = await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2)
    world.broker.lose_live(1)
    world.broker.is_down = True
    world.broker.release_live()
    await until(lambda: world.broker.calls["read_since"] >= 3)
    assert subscriber.numbers == []

    world.broker.is_down = False
    await until(lambda: len(subscriber.numbers) == 2)

    assert subscriber.numbers == [1, 2]


async def test_a_task_that_fails_is_logged_and_hurts_nobody(world: EdgeWorld, caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    world.hub.spawn(fail())
    await until(lambda: "hub_task_failed" in caplog.messages)

    assert (await world.joined()).kinds == ["subscribed"]


async def test_a_hub_that_does_not_run_starts_no_tasks() -> None:
    async def work() -> None:
        raise AssertionError("never runs")

    with pytest.raises(RuntimeError):
        EdgeWorld().hub.spawn(work())


async def test_connections_have_names_of_their_own() -> None:
    assert len({RecordingSubscriber().connection for _ in range(50)}) == 50
