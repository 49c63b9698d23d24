"""What every broker promises of live delivery, its joint with history, and announcements."""

import asyncio
import threading
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanoutcloud.broker.base import Broker, LiveItem
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StreamPosition
from tests.contracts.brokers import KEEP, PATIENCE_S, RecordingListener, Runner, World, item, texts

HELLO = ChannelName("hello")
KEEP_ALL = Retention(items=10_000, age_s=300)


async def test_a_subscribed_channel_delivers_and_another_does_not(world: World) -> None:
    broker, listener = await world.open()
    start = await broker.subscribe(world.realm, HELLO)

    await broker.publish(world.realm, [item("not for us", "other"), item("a"), item("b")], retention=KEEP)

    await listener.wait_for(2)
    assert listener.texts(world.realm) == ["a", "b"]
    assert [one.position for one in listener.of(world.realm)] == [
        StreamPosition(start.epoch, 1),
        StreamPosition(start.epoch, 2),
    ]
    assert len(listener.items) == 2


async def test_after_unsubscribing_nothing_is_delivered(world: World) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)
    await broker.subscribe(world.realm, ChannelName("fence"))

    await broker.unsubscribe(world.realm, HELLO)
    await broker.publish(world.realm, [item("late")], retention=KEEP)

    await broker.publish(world.realm, [item("seen", "fence")], retention=KEEP)
    await listener.wait_for(1)
    assert listener.texts(world.realm) == []


async def test_unsubscribing_what_was_never_subscribed_is_fine(world: World) -> None:
    broker, listener = await world.open()

    await broker.unsubscribe(world.realm, HELLO)

    await broker.subscribe(world.realm, HELLO)
    await broker.publish(world.realm, [item("a")], retention=KEEP)
    await listener.wait_for(1)
    assert listener.texts(world.realm) == ["a"]


async def test_subscribing_again_tells_the_newest_position_and_delivers_once(world: World) -> None:
    broker, listener = await world.open()
    first = await broker.subscribe(world.realm, HELLO)
    await broker.publish(world.realm, [item("a")], retention=KEEP)

    second = await broker.subscribe(world.realm, HELLO)
    await broker.publish(world.realm, [item("b")], retention=KEEP)

    await listener.wait_for(2)
    assert (second.epoch, second.offset) == (first.epoch, 1)
    assert listener.texts(world.realm) == ["a", "b"]


async def test_what_is_published_while_subscribing_is_in_history_or_live_and_never_in_neither(
    world: World,
) -> None:
    broker, listener = await world.open()
    start = (await broker.positions([(world.realm, HELLO)]))[0]
    stop = asyncio.Event()

    async def keep_publishing() -> int:
        count = 0
        while not stop.is_set():
            await broker.publish(world.realm, [item(count)], retention=KEEP_ALL)
            count += 1
            await asyncio.sleep(0)
        return count

    async with asyncio.TaskGroup() as group:
        publisher = group.create_task(keep_publishing())
        for _ in range(40):
            before = len(listener.items)
            position = await broker.subscribe(world.realm, HELLO)
            await listener.wait_until(lambda seen=before: len(listener.items) > seen + 2)  # type: ignore[misc]
            live = [one.position.offset for one in listener.of(world.realm)[before:]]
            beyond = [offset for offset in live if offset > position.offset]
            assert beyond == list(range(position.offset + 1, position.offset + 1 + len(beyond)))
            await broker.unsubscribe(world.realm, HELLO)
        stop.set()

    kept = await broker.read_since(world.realm, HELLO, start, limit=10_000)
    assert texts(kept) == [str(n) for n in range(publisher.result())]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=8), cut=st.integers(0, 40), page=st.integers(1, 7))
def test_resuming_anywhere_repeats_and_loses_nothing(
    run_in_world: Runner, sizes: list[int], cut: int, page: int
) -> None:
    async def resume(world: World) -> None:
        broker, listener = await world.open()
        start = await broker.subscribe(world.realm, HELLO)
        numbers = iter(range(100))
        for size in sizes:
            await broker.publish(world.realm, [item(next(numbers)) for _ in range(size)], retention=KEEP)
        position = StreamPosition(start.epoch, min(cut, sum(sizes)))

        read = []
        while got := await broker.read_since(world.realm, HELLO, position, limit=page):
            read += got
            position = got[-1].position

        await listener.wait_for(sum(sizes))
        assert read == listener.of(world.realm)[min(cut, sum(sizes)) :]

    run_in_world(resume)


async def test_many_subscribe_at_once_and_all_are_served(world: World) -> None:
    broker, listener = await world.open()
    channels = [ChannelName(f"c{n}") for n in range(2000)]

    positions = await asyncio.gather(*(broker.subscribe(world.realm, channel) for channel in channels))
    await broker.publish(world.realm, [item(channel, channel) for channel in channels], retention=KEEP)

    await listener.wait_for(len(channels))
    assert len({position.epoch for position in positions}) == len(channels)
    assert sorted(channel for _, channel, _ in listener.items) == sorted(channels)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.booleans(), min_size=1, max_size=20))
def test_the_last_of_many_subscribes_and_unsubscribes_at_once_wins(run_in_world: Runner, steps: list[bool]) -> None:
    async def race(world: World) -> None:
        broker, listener = await world.open()
        await broker.subscribe(world.realm, ChannelName("fence"))
        calls = {True: broker.subscribe, False: broker.unsubscribe}

        await asyncio.gather(*(calls[step](world.realm, HELLO) for step in steps))  # type: ignore[arg-type]
        await broker.publish(world.realm, [item("a")], retention=KEEP)
        await broker.publish(world.realm, [item("seen", "fence")], retention=KEEP)

        await listener.wait_until(lambda: bool(listener.of(world.realm, "fence")))
        assert listener.texts(world.realm) == (["a"] if steps[-1] else [])

    run_in_world(race)


async def test_every_listener_of_a_topic_hears_an_announcement_and_no_other_topic(world: World) -> None:
    broker, _ = await world.open()
    control, other = Heard(broker, "control"), Heard(broker, "other")
    second = Heard(broker, "control")

    await broker.announce("control", b"\x00one")
    await broker.announce("other", b"two")

    await asyncio.gather(control.wait(1), second.wait(1), other.wait(1))
    assert (control.payloads, second.payloads, other.payloads) == ([b"\x00one"], [b"\x00one"], [b"two"])


async def test_a_topic_is_heard_no_more_after_unlistening(world: World) -> None:
    broker, _ = await world.open()
    left, stays = Heard(broker, "control"), Heard(broker, "control")

    left.unlisten()
    left.unlisten()
    await broker.announce("control", b"one")
    await stays.wait(1)
    stays.unlisten()
    again = Heard(broker, "control")
    await broker.announce("control", b"two")

    await again.wait(1)
    assert (left.payloads, stays.payloads) == ([], [b"one"])


async def test_a_callback_that_raises_keeps_nobody_else_from_hearing(world: World) -> None:
    broker, _ = await world.open()

    def fail(payload: bytes) -> None:
        raise ValueError("a fault of the listener")

    broker.listen("control", fail)
    heard = Heard(broker, "control")

    await broker.announce("control", b"one")
    await broker.announce("control", b"two")
    await heard.wait(2)

    assert sorted(heard.payloads) == [b"one", b"two"]  # announcements have no order


async def test_another_thread_can_announce(world: World) -> None:
    broker, _ = await world.open()
    heard = Heard(broker, "control")
    await broker.announce("control", b"ready")  # the listening has begun when this one is heard
    await heard.wait(1)
    announcer = world.announcer(broker)

    thread = threading.Thread(target=announcer.announce, args=("control", b"from a thread"))
    thread.start()

    await heard.wait(2)
    await asyncio.to_thread(thread.join)
    assert heard.payloads == [b"ready", b"from a thread"]
    assert announcer.failures == 0


async def test_a_realm_that_is_forgotten_goes_on_live_in_a_new_epoch(world: World) -> None:
    broker, listener = await world.open()
    start = await broker.subscribe(world.realm, HELLO)

    await broker.forget_realm(world.realm)
    await broker.publish(world.realm, [item("a")], retention=KEEP)

    await listener.wait_for(1)
    assert listener.of(world.realm)[0].position.epoch != start.epoch


class FailingListener(RecordingListener):
    """A hub with a fault: raises after the first item."""

    def on_items(self, items: Sequence[LiveItem]) -> None:
        is_first = not self.items
        super().on_items(items)
        if is_first:
            raise ValueError("a fault of the hub")


async def test_a_listener_that_raises_fails_neither_the_publish_nor_later_items(world: World) -> None:
    broker, _ = await world.open()
    listener = FailingListener()
    broker.attach(listener)
    await broker.subscribe(world.realm, HELLO)

    await broker.publish(world.realm, [item("a"), item("b")], retention=KEEP)

    await listener.wait_for(2)
    assert listener.texts(world.realm) == ["a", "b"]


class Heard:
    """Listens to one topic and remembers."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.payloads: list[bytes] = []
        self._came = asyncio.Event()
        self.unlisten = broker.listen(topic, self._on_announcement)

    def _on_announcement(self, payload: bytes) -> None:
        self.payloads.append(payload)
        self._came.set()

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while len(self.payloads) < count:
                self._came.clear()
                await self._came.wait()
