"""What `MemoryBroker` promises beyond the contract: bounded memory and no timer left behind."""

import asyncio

from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.names import ChannelName, RealmId
from tests.contracts.brokers import KEEP, RecordingListener, SteppedClock, item

REALM = RealmId("0a1b2c3d")
HELLO = ChannelName("hello")


async def test_a_sweep_frees_old_items_of_channels_that_nobody_uses() -> None:
    clock = SteppedClock()
    broker = MemoryBroker(clock)
    await broker.publish(REALM, [item("old")], retention=Retention(items=100, age_s=10))
    kept = broker._streams[REALM, HELLO]._kept
    assert len(kept) == 1

    clock.time_s += 11
    broker.sweep()

    assert len(kept) == 0


async def test_sweeps_come_round_to_every_channel() -> None:
    clock = SteppedClock()
    broker = MemoryBroker(clock, rules=StreamRules(stream_idle_s=10))
    for n in range(10):
        await broker.publish(REALM, [item("x", f"c{n}")], retention=Retention(items=100, age_s=5))
    await broker.subscribe(REALM, ChannelName("c3"))

    clock.time_s += 11
    for _ in range(4):
        broker.sweep(max_streams=3)

    assert [channel for _, channel in broker._streams] == ["c3"]  # somebody reads it


async def test_a_channel_with_a_waiting_item_or_a_remembered_id_is_not_forgotten() -> None:
    clock = SteppedClock()
    broker = MemoryBroker(clock, rules=StreamRules(stream_idle_s=1, duplicate_window_s=60))
    none = Retention(items=0, age_s=0)
    await broker.publish(REALM, [item(1, id="1"), item(3, id="3", prev_id="2")], retention=none)

    clock.time_s += 2
    broker.sweep()

    (again,) = await broker.publish(REALM, [item(3, id="3")], retention=none)
    assert again.outcome is Outcome.DUPLICATE
    await broker.close()


async def test_closing_cancels_every_timer() -> None:
    loop = asyncio.get_running_loop()
    broker = MemoryBroker(SystemClock(), rules=StreamRules(reorder_wait_s=3600))
    await broker.start()
    await broker.publish(REALM, [item(1, id="1"), item(3, id="3", prev_id="2")], retention=KEEP)
    timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
    owned = [
        handle for handle in timers if "MemoryBroker" in repr(handle)
    ]  # a cancelled one does not tell whose it was
    assert len(owned) == 2

    await broker.close()

    assert all(handle.cancelled() for handle in owned)


async def test_an_item_is_delivered_before_the_publish_returns() -> None:
    broker = MemoryBroker(SteppedClock())
    listener = RecordingListener()
    broker.attach(listener)
    await broker.subscribe(REALM, HELLO)

    await broker.publish(REALM, [item("a")], retention=KEEP)

    assert listener.texts(REALM) == ["a"]
