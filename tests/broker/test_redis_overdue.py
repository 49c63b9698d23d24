"""Looking again at channels when their time has come."""

import asyncio

from fanoutcloud.broker.redis_overdue import Channel, OverdueTimer
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId


def channel(name: str) -> Channel:
    return RealmId("0a1b2c3d"), ChannelName(name)


async def test_channels_are_released_in_the_order_of_their_times_each_once() -> None:
    released: asyncio.Queue[Channel] = asyncio.Queue()

    async def release(channels: list[Channel]) -> None:
        for one in channels:
            released.put_nowait(one)

    timer = OverdueTimer(SystemClock(), release)
    timer.start()
    timer.note(channel("late"), 0.2)
    timer.note(channel("soon"), 30)
    timer.note(channel("soon"), 0.05)
    timer.note(channel("soon"), 0.15)

    names = [(await asyncio.wait_for(released.get(), 10))[1] for _ in range(2)]
    assert names == ["soon", "late"]
    assert released.empty()
    await timer.close()
    await timer.close()


async def test_a_failed_release_is_tried_again() -> None:
    tries: asyncio.Queue[int] = asyncio.Queue()
    failures = iter([Unavailable("down"), ValueError("a fault"), None])

    async def release(channels: list[Channel]) -> None:
        tries.put_nowait(len(channels))
        if (failure := next(failures)) is not None:
            raise failure

    timer = OverdueTimer(SystemClock(), release)
    timer.start()
    timer.note(channel("a"), 0)

    assert [await asyncio.wait_for(tries.get(), 10) for _ in range(3)] == [1, 1, 1]
    await timer.close()
