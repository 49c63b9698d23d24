"""Subscribers that come from another process: nothing missed, nothing twice, and nothing told."""

import asyncio

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.hub.rejoining import rejoin
from tests.edge.worlds import HELLO, EdgeWorld, IndividualSubscriber, RecordingSubscriber, until


async def _rejoin(world: EdgeWorld, position: StreamPosition, *subscribers: RecordingSubscriber) -> None:
    await rejoin(world.hub, world.broker, [(subscriber, {HELLO: position}) for subscriber in subscribers])


async def test_they_go_on_where_they_stood_and_are_told_nothing(world: EdgeWorld) -> None:
    await world.publish(1, 2)
    position = await world.top()
    await world.publish(3, 4)
    shared, individual = RecordingSubscriber(), IndividualSubscriber()

    await _rejoin(world, position, shared, individual)
    await world.publish(5)

    assert shared.kinds == individual.kinds == ["item"] * 3
    assert shared.numbers == individual.numbers == [3, 4, 5]
    assert shared.is_at_rest


async def test_history_is_read_once_for_all_that_stood_at_one_place(world: EdgeWorld) -> None:
    position = await world.top()
    await world.publish(*range(5))

    await _rejoin(world, position, *(RecordingSubscriber() for _ in range(50)))

    assert world.broker.calls["read_since"] == 1


async def test_nothing_is_read_for_those_who_stand_at_the_top(world: EdgeWorld) -> None:
    await world.publish(1)

    await _rejoin(world, await world.top(), RecordingSubscriber())

    assert world.broker.calls["read_since"] == 0


async def test_what_comes_live_while_history_is_read_follows_it_once(world: EdgeWorld) -> None:
    position = await world.top()
    await world.publish(1, 2)
    subscribers = [RecordingSubscriber() for _ in range(3)]
    world.broker.hold("read_since")
    rejoining = asyncio.create_task(_rejoin(world, position, *subscribers))
    await until(lambda: world.broker.waiting("read_since") > 0)

    await world.publish(3)
    assert not subscribers[0].is_at_rest
    assert world.hub.find_positions(subscribers[1]) is None, "it can't move on before it has arrived"
    world.broker.release("read_since")
    await rejoining
    await world.publish(4)

    assert [subscriber.numbers for subscriber in subscribers] == [[1, 2, 3, 4]] * 3


async def test_those_who_are_ahead_of_this_process_get_no_item_twice(world: EdgeWorld) -> None:
    await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2)
    position = await world.top()
    subscriber = RecordingSubscriber()

    await _rejoin(world, position, subscriber)
    assert world.hub.find_positions(subscriber) == {HELLO: position}
    world.broker.release_live()
    await world.publish(3)

    assert subscriber.numbers == [3]


async def test_a_lost_history_is_told_as_reset(world: EdgeWorld) -> None:
    subscriber = RecordingSubscriber()

    await _rejoin(world, StreamPosition("abcdefgh", 7), subscriber)
    await world.publish(1)

    assert subscriber.kinds == ["reset", "item"]


async def test_who_leaves_meanwhile_is_left_out_and_the_others_are_not(world: EdgeWorld) -> None:
    position = await world.top()
    await world.publish(1)
    first, second = RecordingSubscriber(), RecordingSubscriber()
    world.broker.hold("read_since")
    rejoining = asyncio.create_task(_rejoin(world, position, first, second))
    await until(lambda: world.broker.waiting("read_since") > 0)

    first.on_lost()
    await world.publish(2)
    world.broker.release("read_since")
    await rejoining
    await world.publish(3)

    assert (first.numbers, second.numbers) == ([], [1, 2, 3])


async def test_without_a_broker_they_are_closed_so_that_they_come_back(world: EdgeWorld) -> None:
    position = await world.top()
    world.broker.is_down = True
    subscriber = RecordingSubscriber()

    await _rejoin(world, position, subscriber)

    assert subscriber.close_reason is CloseReason.UNAVAILABLE
    assert world.hub.subscribers == set()


async def test_a_detached_subscriber_gets_nothing_until_it_is_back(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    positions = world.hub.find_positions(subscriber)
    assert positions is not None

    world.hub.detach(subscriber)
    await world.publish(1)
    assert subscriber.numbers == []
    await rejoin(world.hub, world.broker, [(subscriber, positions)])

    assert subscriber.numbers == [1]
