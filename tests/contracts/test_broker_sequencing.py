"""What every broker promises of repeated ids and of items that come out of order. On both brokers."""

from collections.abc import Sequence

import pytest

from fanoutcloud.broker.base import Broker, Outcome, PublishResult
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from tests.contracts.brokers import KEEP, World, item

HELLO = ChannelName("hello")
STORED, DUPLICATE, WAITING = Outcome.STORED, Outcome.DUPLICATE, Outcome.WAITING


async def publish_each(broker: Broker, world: World, items: Sequence[Item]) -> list[PublishResult]:
    """Publish the items one by one."""
    return [(await broker.publish(world.realm, [one], retention=KEEP))[0] for one in items]


def outcomes(results: Sequence[PublishResult]) -> list[Outcome]:
    return [result.outcome for result in results]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_repeated_id_is_answered_with_the_first_position_and_delivered_once(
    world: World, at_once: bool
) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)
    items = [item("a", id="1"), item("b", id="2"), item("a again", id="1"), item("end")]

    if at_once:
        results = await broker.publish(world.realm, items, retention=KEEP)
    else:
        results = await publish_each(broker, world, items)

    await listener.wait_for(3)
    assert outcomes(results) == [STORED, STORED, DUPLICATE, STORED]
    assert results[2].position == results[0].position
    assert listener.texts(world.realm) == ["a", "b", "end"]


async def test_the_same_id_in_another_channel_is_another_item(world: World) -> None:
    broker, _ = await world.open()

    results = await publish_each(broker, world, [item("a", "one", id="1"), item("b", "two", id="1")])

    assert outcomes(results) == [STORED, STORED]


async def test_an_empty_id_is_an_id(world: World) -> None:
    broker, _ = await world.open()

    results = await publish_each(broker, world, [item("a", id=""), item("b", id=""), item("c")])

    assert outcomes(results) == [STORED, DUPLICATE, STORED]


async def test_an_id_may_be_used_again_when_the_window_is_over(world: World) -> None:
    broker, _ = await world.open(StreamRules(duplicate_window_s=0.3))
    await broker.publish(world.realm, [item("a", id="1")], retention=KEEP)

    await world.pass_time(0.31)

    (result,) = await broker.publish(world.realm, [item("b", id="1")], retention=KEEP)
    assert result.outcome is STORED


async def test_items_in_order_go_straight_through(world: World) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)

    results = await publish_each(broker, world, [item(n, id=str(n), prev_id=str(n - 1)) for n in range(1, 6)])

    await listener.wait_for(5)
    assert outcomes(results) == [STORED] * 5


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_item_waits_for_the_one_before_it(world: World, at_once: bool) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)
    items = [item(n, id=str(n), prev_id=str(n - 1)) for n in (1, 4, 3, 2)]

    if at_once:
        results = await broker.publish(world.realm, items, retention=KEEP)
    else:
        results = await publish_each(broker, world, items)

    await listener.wait_for(4)
    assert outcomes(results) == [STORED, WAITING, WAITING, STORED]
    assert results[1].position is None
    assert listener.texts(world.realm) == ["1", "2", "3", "4"]
    kept = await broker.read_since(world.realm, HELLO, listener.of(world.realm)[0].position, limit=10)
    assert kept == listener.of(world.realm)[1:]


async def test_a_repeated_id_of_a_waiting_item_has_no_position_until_it_went_out(world: World) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)
    await publish_each(broker, world, [item(1, id="1"), item(3, id="3", prev_id="2")])

    (while_waiting,) = await publish_each(broker, world, [item(3, id="3", prev_id="2")])
    await publish_each(broker, world, [item(2, id="2", prev_id="1")])
    (afterwards,) = await publish_each(broker, world, [item(3, id="3", prev_id="2")])

    await listener.wait_for(3)
    assert (while_waiting.outcome, while_waiting.position) == (DUPLICATE, None)
    assert (afterwards.outcome, afterwards.position) == (DUPLICATE, listener.of(world.realm)[2].position)
    assert listener.texts(world.realm) == ["1", "2", "3"]


async def test_an_item_whose_predecessor_never_comes_goes_out_by_itself_after_the_wait(world: World) -> None:
    broker, listener = await world.open(StreamRules(reorder_wait_s=0.3))
    await broker.subscribe(world.realm, HELLO)
    items = [item(n, id=str(n), prev_id=str(n - 1)) for n in (1, 6, 4, 5, 3)]
    results = await broker.publish(world.realm, items, retention=KEEP)  # at once: they begin to wait at the same time
    assert outcomes(results) == [STORED, WAITING, WAITING, WAITING, WAITING]

    await world.pass_time(0.3)

    await listener.wait_for(5)  # in the order of their coming, but with what follows on each
    assert listener.texts(world.realm) == ["1", "6", "4", "5", "3"]


async def test_asking_for_the_position_lets_overdue_items_go(world: World) -> None:
    publisher, _ = await world.open(StreamRules(reorder_wait_s=0.2))
    items = [item(1, id="1"), item(3, id="3", prev_id="2")]
    assert outcomes(await publisher.publish(world.realm, items, retention=KEEP)) == [STORED, WAITING]
    await publisher.close()  # its timer will not come to help

    await world.pass_time(0.21)

    reader = publisher if world.is_single_process else (await world.open())[0]
    (after,) = await reader.positions([(world.realm, HELLO)])
    assert after.offset == 2


async def test_a_later_publish_lets_overdue_items_go_first(world: World) -> None:
    broker, listener = await world.open(StreamRules(reorder_wait_s=0.2))
    await broker.subscribe(world.realm, HELLO)
    await publish_each(broker, world, [item(1, id="1"), item(3, id="3", prev_id="2")])

    await world.pass_time(0.21)
    await publish_each(broker, world, [item("late", id="late")])

    await listener.wait_for(3)
    assert listener.texts(world.realm) == ["1", "3", "late"]


async def test_when_too_many_wait_the_oldest_goes_out_and_nothing_is_lost(world: World) -> None:
    broker, listener = await world.open(StreamRules(max_reorder_items=3))
    await broker.subscribe(world.realm, HELLO)
    items = [item(n, id=str(n), prev_id=str(n - 1)) for n in (1, 11, 21, 31, 41)]

    results = await publish_each(broker, world, items)

    await listener.wait_for(2)
    assert outcomes(results) == [STORED, WAITING, WAITING, WAITING, WAITING]
    assert listener.texts(world.realm) == ["1", "11"]


async def test_when_the_oldest_makes_room_the_item_that_follows_on_it_goes_at_once(world: World) -> None:
    broker, listener = await world.open(StreamRules(max_reorder_items=2))
    await broker.subscribe(world.realm, HELLO)
    items = [item(n, id=str(n), prev_id=str(n - 1)) for n in (1, 11, 21, 12)]

    results = await publish_each(broker, world, items)

    await listener.wait_for(3)
    assert outcomes(results) == [STORED, WAITING, WAITING, STORED]
    assert listener.texts(world.realm) == ["1", "11", "12"]


async def test_a_second_item_that_waits_for_the_same_one_goes_out_at_once(world: World) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)

    results = await publish_each(
        broker,
        world,
        [item(1, id="1"), item("3a", id="3a", prev_id="2"), item("3b", id="3b", prev_id="2")],
    )

    await listener.wait_for(2)
    assert outcomes(results) == [STORED, WAITING, STORED]
    assert listener.texts(world.realm) == ["1", "3b"]


async def test_an_item_that_asks_for_no_order_never_waits(world: World) -> None:
    broker, _ = await world.open()

    results = await publish_each(broker, world, [item(1, id="1"), item(9, id="9", prev_id="8", no_seq=True)])

    assert outcomes(results) == [STORED, STORED]


async def test_an_item_that_asks_for_no_order_leaves_the_last_id(world: World) -> None:
    broker, _ = await world.open()

    results = await publish_each(
        broker, world, [item(1, id="1"), item(9, id="9", no_seq=True), item(2, id="2", prev_id="1")]
    )

    assert outcomes(results) == [STORED, STORED, STORED]


async def test_after_an_item_without_id_nothing_has_to_wait(world: World) -> None:
    broker, _ = await world.open()

    results = await publish_each(broker, world, [item(1, id="1"), item(2), item(9, id="9", prev_id="8")])

    assert outcomes(results) == [STORED, STORED, STORED]


async def test_waiting_items_of_one_channel_do_not_hold_up_another(world: World) -> None:
    broker, _ = await world.open()
    await publish_each(broker, world, [item(1, "a", id="1"), item(3, "a", id="3", prev_id="2")])

    results = await publish_each(broker, world, [item(2, "b", id="2", prev_id="1"), item(9, "b")])

    assert outcomes(results) == [STORED, STORED]
