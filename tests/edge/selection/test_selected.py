"""Subscribers with wishes: chosen once per selection, encoded once per group, and never behind in what they know."""

import asyncio
import sys
from dataclasses import dataclass

from fanoutcloud.core.activity import Delivered
from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, PLAIN_SSE
from fanoutcloud.edge.hub.housekeeping import _House
from fanoutcloud.edge.hub.subscriber import SseCursorSubscriber
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.selection.selected import Wish
from tests.edge.worlds import HELLO, REALM, CountingWire, EdgeWorld, IndividualSubscriber, RecordingSubscriber, until
from tests.fakes.sink import RecordingSink

ASKED: list[int] = []


@dataclass(frozen=True)
class Multiples:
    """Chooses the multiples of a number."""

    of: int

    def choose(self, stored: StoredItem) -> StoredItem | None:
        number = int(stored.item.json_object or b"0")
        ASKED.append(number)
        return None if number % self.of else stored


@dataclass(frozen=True)
class Negative:
    """Changes what is in the item."""

    def choose(self, stored: StoredItem) -> StoredItem | None:
        return StoredItem(stored.position, Item(channel=stored.item.channel, json_object=b"-1"))


def _wishing(number: int, wire: CountingWire | None = None) -> RecordingSubscriber:
    subscriber = RecordingSubscriber(wire or PLAIN_JSON_LINES)
    subscriber.wishes = {HELLO: Wish(Multiples(number))}
    return subscriber


async def test_each_gets_what_it_wants(world: EdgeWorld) -> None:
    even, third, everything = _wishing(2), _wishing(3), RecordingSubscriber()
    for subscriber in (even, third, everything):
        await world.join(subscriber)

    await world.publish(1, 2, 3, 4, 6)

    assert even.numbers == [2, 4, 6]
    assert third.numbers == [3, 6]
    assert everything.numbers == [1, 2, 3, 4, 6]


async def test_an_item_is_chosen_once_per_selection_and_encoded_once_per_group(world: EdgeWorld) -> None:
    wire = CountingWire()
    subscribers = [_wishing(2, wire) for _ in range(20)]
    for subscriber in subscribers:
        await world.join(subscriber)
    ASKED.clear()

    await world.publish(1, 2, 3, 4)

    assert ASKED == [1, 2, 3, 4]
    assert wire.encoded == 2
    assert [subscriber.numbers for subscriber in subscribers] == [[2, 4]] * 20


async def test_a_selection_may_change_the_item_for_its_subscribers_only(world: EdgeWorld) -> None:
    changed, as_it_is = RecordingSubscriber(), await world.joined()
    changed.wishes = {HELLO: Wish(Negative())}
    await world.join(changed)

    await world.publish(7)

    assert (changed.numbers, as_it_is.numbers) == ([-1], [7])


async def test_history_is_chosen_from_too(world: EdgeWorld) -> None:
    await world.join(RecordingSubscriber())
    start = await world.top()
    await world.publish(1, 2, 3, 4)
    subscriber = _wishing(2)

    await world.join(subscriber, since=start)
    await world.publish(5, 6)

    assert subscriber.numbers == [2, 4, 6]


async def test_a_wish_is_for_one_channel(world: EdgeWorld) -> None:
    subscriber = _wishing(2)
    await world.join(subscriber, HELLO, "other")

    await world.publish(1, 2)
    await world.publish(3, channel="other")

    assert subscriber.numbers == [2, 3]


async def test_those_who_were_not_sent_the_newest_items_are_told_where_the_channel_is(world: EdgeWorld) -> None:
    world.hub.limits = EdgeLimits(keep_alive_s=1)
    house = _House(world.hub, world.broker)
    subscriber = _wishing(2)
    await world.join(subscriber)
    await world.publish(1, 3, 5)
    assert subscriber.kinds == ["subscribed"]

    house.tick(1)
    assert subscriber.messages[1] == {"type": "position", "channel": HELLO, "position": str(await world.top())}

    await world.publish(6)
    house.tick(2)
    assert subscriber.kinds == ["subscribed", "position", "keep-alive", "item", "keep-alive"]


async def test_cursors_move_on_with_what_was_passed_over(world: EdgeWorld) -> None:
    subscriber = SseCursorSubscriber(REALM, PLAIN_SSE, address="")
    subscriber.sink = sink = RecordingSink()
    subscriber.wishes = {HELLO: Wish(Multiples(2))}
    await world.join(subscriber, HELLO, "other")
    sink.frames.clear()

    await world.publish(1)
    await world.publish(5, channel="other")

    [event] = sink.frames
    other = await world.top("other")
    assert event.startswith(f"id: {await world.top()},{other}\n".encode())


async def test_individuals_may_have_wishes(world: EdgeWorld) -> None:
    subscriber = IndividualSubscriber()
    subscriber.wishes = {HELLO: Wish(Multiples(2))}
    await world.join(subscriber)

    await world.publish(1, 2)

    assert subscriber.numbers == [2]


async def test_who_leaves_gets_nothing_more_and_the_channel_is_empty(world: EdgeWorld) -> None:
    subscriber, staying = _wishing(2), _wishing(2)
    await world.join(subscriber)
    await world.join(staying)
    [local] = world.hub.channels.values()

    world.hub.leave(subscriber, HELLO)
    await world.publish(2)
    assert (subscriber.numbers, staying.numbers) == ([], [2])
    assert not local.is_empty

    staying.on_lost()
    assert local.is_empty
    assert local.selected is None  # the channel pays nothing any more


async def test_they_are_counted_and_told_of_resets(world: EdgeWorld) -> None:
    subscriber = _wishing(1)
    await world.join(subscriber)
    await world.publish(1)
    [local] = world.hub.channels.values()

    world.hub.restart(local, local.position, "epoch_changed")

    assert "reset" in subscriber.kinds
    [delivered] = world.events(Delivered)
    assert delivered.subscribers == 1


async def test_channels_without_wishes_cost_one_write_per_subscriber_and_nothing_else(world: EdgeWorld) -> None:
    """Python calls of a broadcast: what each further subscriber adds is its sink's `write`, and that alone."""

    async def count_calls() -> int:
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event == "call"

        [local] = world.hub.channels.values()
        stored = StoredItem(local.position, Item(channel=HELLO, json_object=b"1"))
        sys.setprofile(count)
        try:
            local.broadcast(stored)
        finally:
            sys.setprofile(None)
        await asyncio.sleep(0)
        return calls

    for _ in range(10):
        await world.joined()
    of_ten = await count_calls()
    for _ in range(10):
        await world.joined()

    assert await count_calls() == of_ten + 10


async def test_items_that_end_connections_end_only_theirs(world: EdgeWorld) -> None:
    even, odd = _wishing(2), _wishing(3)
    await world.join(even)
    await world.join(odd)

    await world.publish_item(json_object=b"2", http_stream=HttpStream(action="close"))
    await until(lambda: even.is_closed)

    assert not odd.is_closed
