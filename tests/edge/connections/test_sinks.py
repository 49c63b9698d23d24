"""Sinks over ASGI `send`: the outbox, its limit, and the coroutine that empties it."""

import asyncio

import pytest

from fanoutcloud.edge.connections.sinks import PlainSink
from fanoutcloud.edge.limits import EdgeLimits
from tests.edge.worlds import PATIENCE_S, until
from tests.fakes.owner import RecordingOwner


class Receiver:
    """The client's end: takes frames, or is stuck."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.may_take = asyncio.Event()
        self.may_take.set()

    async def take(self, frame: bytes) -> None:
        await self.may_take.wait()
        self.frames.append(frame)


def _sink(**limits: float) -> tuple[PlainSink, RecordingOwner, Receiver]:
    owner = RecordingOwner()
    return PlainSink(owner, EdgeLimits(**limits)), owner, Receiver()  # type: ignore[arg-type]


async def test_frames_leave_in_order_and_then_the_close_is_returned() -> None:
    sink, _, receiver = _sink()
    for number in range(5):
        sink.write(b"%d" % number)
    sink.close(4012, "draining")
    sink.close(1000, "twice")

    assert await asyncio.wait_for(sink.pump(receiver.take), PATIENCE_S) == (4012, "draining")
    assert receiver.frames == [b"0", b"1", b"2", b"3", b"4"]


async def test_frames_written_while_the_pump_runs_leave_too() -> None:
    sink, _, receiver = _sink()
    pump = asyncio.create_task(sink.pump(receiver.take))
    for number in range(3):
        sink.write(b"%d" % number)
        await until(lambda number=number: len(receiver.frames) == number + 1)  # type: ignore[misc]
    sink.close(1000, "")

    await pump
    assert sink.unsent_bytes() == 0


async def test_nothing_is_taken_behind_the_close_and_empty_frames_never() -> None:
    sink, _, receiver = _sink()
    sink.write(b"")
    sink.close(1000, "")
    sink.write(b"too late")

    await sink.pump(receiver.take)

    assert receiver.frames == []


async def test_a_client_that_has_left_ends_the_pump_and_is_told_of() -> None:
    sink, owner, _ = _sink()
    sink.write(b"0")
    sink.write(b"1")
    asked = []

    async def send_to_nobody(frame: bytes) -> None:
        asked.append(frame)
        raise ConnectionResetError

    await asyncio.wait_for(sink.pump(send_to_nobody), PATIENCE_S)

    assert asked == [b"0"]
    assert owner.losses == 1


async def test_more_than_the_outbox_holds_is_told_once() -> None:
    sink, owner, _ = _sink(outbox_bytes=10)
    sink.write(b"x" * 10)
    assert owner.overflows == 0

    sink.write(b"x")
    sink.write(b"x")

    assert owner.overflows == 1


async def test_a_frame_that_does_not_leave_in_time_ends_the_pump() -> None:
    sink, owner, receiver = _sink(stuck_s=0.01)
    receiver.may_take.clear()
    sink.write(b"x")

    code, _ = await asyncio.wait_for(sink.pump(receiver.take), PATIENCE_S)

    assert owner.overflows == 1
    assert code == 1011


async def test_cancelling_the_pump_is_not_swallowed() -> None:
    sink, owner, receiver = _sink()
    receiver.may_take.clear()
    sink.write(b"x")
    pump = asyncio.create_task(sink.pump(receiver.take))
    await asyncio.sleep(0)

    pump.cancel()

    with pytest.raises(asyncio.CancelledError):
        await pump
    assert owner.overflows == 0


async def test_catching_up_waits_until_little_is_unsent() -> None:
    sink, _, receiver = _sink(catch_up_bytes=10)
    receiver.may_take.clear()
    for _ in range(4):
        sink.write(b"x" * 8)
    pump = asyncio.create_task(sink.pump(receiver.take))
    drained = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)
    assert not drained.done()

    receiver.may_take.set()
    await asyncio.wait_for(drained, PATIENCE_S)

    assert sink.unsent_bytes() <= 10
    sink.close(1000, "")
    await pump


async def test_catching_up_ends_with_the_connection() -> None:
    sink, _, _ = _sink(catch_up_bytes=10)
    sink.write(b"x" * 11)
    drained = asyncio.create_task(sink.drained())
    await asyncio.sleep(0)

    assert not drained.done()

    sink.close(1000, "")
    await asyncio.wait_for(drained, PATIENCE_S)

    assert sink.unsent_bytes() == 11
