"""Joining while items come: history first, then what came meanwhile, each item once, whatever the timing."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanoutcloud.core.activity import Connected
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import HttpStream
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.edge.hub import channel as channel_module
from fanoutcloud.edge.hub.housekeeping import _House
from fanoutcloud.edge.limits import EdgeLimits
from tests.edge.worlds import HELLO, REALM, EdgeWorld, RecordingSubscriber, run_in_world, until


async def _join_held(world: EdgeWorld, *, since: int = 0) -> tuple[RecordingSubscriber, "asyncio.Task[None]"]:
    """Begin to join from an offset; return when history is asked for and its answer held back."""
    world.broker.hold("read_since")
    top = await world.top()
    subscriber = RecordingSubscriber()
    join = asyncio.create_task(world.join(subscriber, since=StreamPosition(top.epoch, since)))
    await until(lambda: world.broker.waiting("read_since") == 1)
    return subscriber, join


async def test_coming_back_delivers_what_was_missed_and_then_live_items(world: EdgeWorld) -> None:
    await world.publish(1, 2, 3)
    top = await world.top()
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=StreamPosition(top.epoch, 1))
    await world.publish(4)

    assert subscriber.kinds[0] == "subscribed"
    assert subscriber.messages[0] == {
        "type": "subscribed", "channel": "hello", "position": f"{top.epoch}:1", "recovered": True
    }  # fmt: skip
    assert subscriber.numbers == [2, 3, 4]


async def test_the_newest_position_needs_no_history(world: EdgeWorld) -> None:
    await world.publish(1)
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=await world.top())

    assert subscriber.messages[0]["recovered"] is True
    assert world.broker.calls["read_since"] == 0


async def test_history_is_read_page_by_page(world: EdgeWorld) -> None:
    await world.publish(*range(250))
    top = await world.top()
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=StreamPosition(top.epoch, 0))

    assert subscriber.numbers == list(range(250))
    assert world.broker.calls["read_since"] == 3


async def test_items_that_come_behind_an_old_answer_are_delivered_after_it(world: EdgeWorld) -> None:
    await world.publish(1, 2)
    subscriber, join = await _join_held(world)
    await world.publish(3, 4)

    world.broker.release("read_since")
    await join
    await world.publish(5)

    assert subscriber.numbers == [1, 2, 3, 4, 5]


async def test_items_that_are_both_in_history_and_live_are_delivered_once(world: EdgeWorld) -> None:
    world.broker.answers_early = False
    await world.publish(1)
    await world.joined()  # opens the channel: `top` is 1
    subscriber, join = await _join_held(world)
    await world.publish(2, 3)

    world.broker.release("read_since")
    await join

    assert subscriber.numbers == [1, 2, 3]


async def test_a_subscriber_ahead_of_live_items_gets_each_once(world: EdgeWorld) -> None:
    await world.publish(0)
    live = await world.joined()
    world.broker.hold_live()
    await world.publish(1, 2, 3)
    subscriber = RecordingSubscriber()
    await world.join(subscriber, since=StreamPosition((await world.top()).epoch, 0))
    assert subscriber in world.hub.channels[REALM, HELLO].ahead

    world.broker.release_live()
    await world.publish(4)

    assert subscriber.numbers == [0, *live.numbers] == [0, 1, 2, 3, 4]


async def test_a_subscriber_ahead_is_told_when_the_stream_begins_anew(world: EdgeWorld) -> None:
    await world.publish(0)
    await world.joined()
    world.broker.hold_live()
    await world.publish(1)
    subscriber = RecordingSubscriber()
    await world.join(subscriber, since=StreamPosition((await world.top()).epoch, 0))

    world.hub.channels[REALM, HELLO].restart(StreamPosition("newepoch", 0))

    assert subscriber.kinds == ["subscribed", "item", "item", "reset"]


async def test_more_live_items_than_are_kept_while_joining_are_read_from_history(
    world: EdgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_module, "MAX_JOINING_ITEMS", 3)
    await world.publish(0)
    subscriber, join = await _join_held(world)
    await world.publish(*range(1, 12))

    world.broker.release("read_since")
    await join

    assert subscriber.numbers == list(range(12))


@pytest.mark.parametrize("since", ["zzzzzzzz:0", "future"])
async def test_a_position_of_another_stream_is_told_reset(world: EdgeWorld, since: str) -> None:
    await world.publish(1)
    top = await world.top()
    epoch, offset = (top.epoch, 99) if since == "future" else ("zzzzzzzz", 0)
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=StreamPosition(epoch, offset))
    await world.publish(2)

    assert subscriber.kinds == ["subscribed", "reset", "item"]
    assert [message["position"] for message in subscriber.messages] == [str(top), str(top), f"{top.epoch}:2"]
    assert subscriber.messages[0]["recovered"] is False


async def test_a_stream_that_begins_anew_while_joining_is_told_reset(world: EdgeWorld) -> None:
    await world.publish(1)
    subscriber, join = await _join_held(world)
    await world.broker.forget_realm(REALM)
    await world.publish(2)

    world.broker.release("read_since")
    await join
    await world.publish(3)

    assert subscriber.kinds[-2:] == ["reset", "item"]
    assert subscriber.numbers[-1] == 3


async def test_who_finds_that_the_stream_began_anew_has_all_told_at_once(world: EdgeWorld) -> None:
    await world.publish(1)
    before, live = await world.top(), await world.joined()
    await world.broker.forget_realm(REALM)
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=StreamPosition(before.epoch, 0))
    await world.publish(2)

    assert subscriber.kinds == ["subscribed", "reset", "item"]
    assert live.kinds == ["subscribed", "reset", "item"]


async def test_nothing_is_written_behind_an_end_found_in_history(world: EdgeWorld) -> None:
    await world.publish(1)
    await world.publish_item(http_stream=HttpStream(action="close"))
    await world.publish(2)
    subscriber = RecordingSubscriber()

    await world.join(subscriber, since=StreamPosition((await world.top()).epoch, 0))
    await world.publish(3)

    assert subscriber.sink.closed == (1000, "")
    assert subscriber.sink.late == []
    assert subscriber.numbers == [1]


async def test_an_end_that_comes_while_joining_leaves_nobody_behind(world: EdgeWorld) -> None:
    await world.publish(1)
    subscriber, join = await _join_held(world)
    await world.publish_item(http_stream=HttpStream(action="close"))
    await world.publish(2)

    world.broker.release("read_since")
    await join
    await world.publish(3)

    assert subscriber.sink.closed is not None
    assert subscriber.sink.late == []
    assert world.hub.channels[REALM, HELLO].is_empty


@pytest.mark.parametrize("method", ["subscribe", "read_since"])
async def test_a_client_that_goes_while_it_joins_leaves_nothing_behind(world: EdgeWorld, method: str) -> None:
    await world.publish(1)
    top = await world.top()
    world.broker.hold(method)
    subscriber = RecordingSubscriber()
    join = asyncio.create_task(world.join(subscriber, since=StreamPosition(top.epoch, 0)))
    await until(lambda: world.broker.waiting(method) == 1)
    subscriber.sink.close(1000, "")
    subscriber.on_lost()

    world.broker.release(method)
    await join
    world.hub.tell_connected(subscriber)
    await world.publish(2)

    assert subscriber.sink.late == []
    assert world.hub.channels[REALM, HELLO].is_empty
    assert world.events(Connected) == []


async def test_leaving_a_channel_while_joining_it_is_final(world: EdgeWorld) -> None:
    await world.publish(1)
    subscriber, join = await _join_held(world)

    assert world.hub.leave(subscriber, HELLO)
    world.broker.release("read_since")
    await join
    await world.publish(2)

    assert subscriber.numbers == []
    assert world.hub.channels[REALM, HELLO].is_empty


async def test_a_channel_is_not_forgotten_while_somebody_is_on_the_way_to_it(world: EdgeWorld) -> None:
    """The subscriber catches up with its first channel while others come and go on its second."""
    await world.publish(1, channel="first")
    world.broker.hold("read_since")
    subscriber = RecordingSubscriber()
    world.hub.register(subscriber)
    since = StreamPosition((await world.top("first")).epoch, 0)
    join = asyncio.create_task(world.hub.join(subscriber, [(ChannelName("first"), since), (HELLO, None)]))
    await until(lambda: world.broker.waiting("read_since") == 1)
    other = await world.joined()
    other.on_lost()

    world.clock.pass_time(world.limits.linger_s + 1)
    _House(world.hub, world.broker).tick(1)
    world.broker.release("read_since")
    await join
    await world.publish(2)

    assert subscriber.numbers == [1, 2]


async def test_catching_up_waits_for_the_client() -> None:
    async with EdgeWorld(EdgeLimits(catch_up_bytes=100)).running() as world:
        await world.publish(*range(10))
        subscriber = RecordingSubscriber()
        subscriber.sink.unsent = 101
        since = StreamPosition((await world.top()).epoch, 0)
        join = asyncio.create_task(world.join(subscriber, since=since))
        await until(lambda: world.broker.calls["read_since"] == 1)
        assert subscriber.numbers == []

        subscriber.sink.read_all()
        await join

        assert subscriber.numbers == list(range(10))


async def test_a_client_that_takes_nothing_while_it_catches_up_is_slow() -> None:
    async with EdgeWorld(EdgeLimits(catch_up_bytes=100, stuck_s=0.01)).running() as world:
        await world.publish(1)
        subscriber = RecordingSubscriber()
        subscriber.sink.unsent = 101

        await world.join(subscriber, since=StreamPosition((await world.top()).epoch, 0))

        assert subscriber.close_reason is CloseReason.SLOW
        assert subscriber.sink.late == []


async def test_a_client_that_takes_a_little_all_the_time_may_be_as_slow_as_it_is() -> None:
    limits = EdgeLimits(catch_up_bytes=100, stuck_s=0.05)
    async with EdgeWorld(limits).running() as world:
        await world.publish(1)
        subscriber = RecordingSubscriber()
        subscriber.sink.unsent = 1_000_000
        since = StreamPosition((await world.top()).epoch, 0)
        join = asyncio.create_task(world.join(subscriber, since=since))
        loop = asyncio.get_running_loop()
        began_at = loop.time()

        while loop.time() - began_at < 4 * limits.stuck_s:
            subscriber.sink.unsent -= 1
            await asyncio.sleep(0)
        assert not subscriber.is_closed
        subscriber.sink.read_all()
        await join

        assert subscriber.numbers == [1]


#: What happens around a joining subscriber, one step after the other.
_STEPS = st.lists(st.sampled_from(["publish", "live", "lose", "read", "turn"]), max_size=40)


@settings(max_examples=150, deadline=None)
@given(before=st.integers(0, 6), data=st.data(), steps=_STEPS, answers_early=st.booleans(), page=st.integers(1, 4))
def test_joining_repeats_and_loses_nothing_whatever_comes_when(
    before: int, data: st.DataObject, steps: list[str], answers_early: bool, page: int
) -> None:
    cut = data.draw(st.integers(0, before))

    async def test(world: EdgeWorld) -> None:
        world.limits = world.hub.limits = EdgeLimits(catch_up_page_items=page)
        world.broker.answers_early = answers_early
        await world.publish(*range(before))
        present = await world.joined()
        world.broker.hold_live()
        world.broker.hold("read_since")
        subscriber = RecordingSubscriber()
        epoch = (await world.top()).epoch
        join = asyncio.create_task(world.join(subscriber, since=StreamPosition(epoch, cut)))
        count = before
        for step in steps:
            match step:
                case "publish":
                    await world.publish(count)
                    count += 1
                case "live":
                    world.broker.let_live_through()
                case "lose" if world.broker.live_held:
                    world.broker.lose_live(1)
                case "read":
                    world.broker.let_through("read_since")
            await asyncio.sleep(0)
        world.broker.release("read_since")
        world.broker.release_live()
        await join
        await world.publish(count)  # shows what was lost before it
        await until(lambda: len(present.numbers) == count + 1 - before)
        await until(lambda: len(subscriber.numbers) == count + 1 - cut)

        assert subscriber.numbers == list(range(cut, count + 1))
        assert present.numbers == list(range(before, count + 1))
        assert "reset" not in subscriber.kinds

    run_in_world(test)
