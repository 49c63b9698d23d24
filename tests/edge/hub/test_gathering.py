"""Items of one turn of the event loop: the first at once, the others together, and nobody gets a wrong one."""

import asyncio

from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.edge.encoding.wire import PLAIN_WEBSOCKET
from fanoutcloud.edge.hub.channel import MAX_GATHERED_BYTES
from tests.edge.worlds import HELLO, KEEP, REALM, EdgeWorld, RecordingSubscriber


def _written(subscriber: RecordingSubscriber, since: int) -> int:
    return len(subscriber.sink.frames) - since


async def _publish_in_this_turn(world: EdgeWorld, *items: Item) -> None:
    await world.broker.publish(REALM, items, retention=KEEP)


def _number(number: int) -> Item:
    return Item(channel=HELLO, json_object=str(number).encode())


async def test_sixteen_items_of_one_turn_are_two_writes(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    before = len(subscriber.sink.frames)

    await world.publish(*range(16))

    assert subscriber.numbers == list(range(16))
    assert _written(subscriber, before) == 2


async def test_the_first_item_of_a_turn_does_not_wait(world: EdgeWorld) -> None:
    subscriber = await world.joined()

    await _publish_in_this_turn(world, _number(1))

    assert subscriber.numbers == [1]


async def test_messages_that_need_frames_of_their_own_are_not_joined(world: EdgeWorld) -> None:
    subscriber = await world.joined(PLAIN_WEBSOCKET)
    before = len(subscriber.sink.frames)

    await world.publish(*range(5))

    assert _written(subscriber, before) == 5


async def test_who_joins_in_the_middle_of_a_turn_gets_nothing_from_before(world: EdgeWorld) -> None:
    early, late = await world.joined(), RecordingSubscriber()

    await _publish_in_this_turn(world, _number(1), _number(2))
    await world.join(late)
    await world.publish(3)

    assert early.numbers == [1, 2, 3]
    assert late.numbers == [3]


async def test_a_position_that_moves_on_with_a_subscriber_is_of_what_it_was_sent(world: EdgeWorld) -> None:
    subscriber = await world.joined()

    await _publish_in_this_turn(world, _number(1), _number(2))
    positions = world.hub.find_positions(subscriber)

    assert subscriber.numbers == [1, 2]
    assert positions == {HELLO: await world.top()}


async def test_an_item_that_ends_connections_comes_behind_those_before_it(world: EdgeWorld) -> None:
    subscriber = await world.joined()

    end = Item(channel=HELLO, http_stream=HttpStream(action="close"))
    await _publish_in_this_turn(world, _number(1), _number(2), end, _number(3))
    await asyncio.sleep(0)

    assert subscriber.numbers == [1, 2]
    assert subscriber.is_closed


async def test_no_more_is_gathered_than_a_bound(world: EdgeWorld) -> None:
    subscriber = await world.joined()
    large = Item(channel=HELLO, json_object=b'"%b"' % (b"x" * (MAX_GATHERED_BYTES // 2)))

    await _publish_in_this_turn(world, *[large] * 5)

    assert len(b"".join(subscriber.sink.frames)) > 2 * MAX_GATHERED_BYTES, "written before the turn has ended"
