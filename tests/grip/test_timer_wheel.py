"""One timer for many."""

import itertools

from fanoutcloud.grip.timer_wheel import TICK_S, TimerWheel
from tests.fakes.clock import SteppedClock


async def test_calls_come_when_their_time_has_come_and_never_early():
    clock, called = SteppedClock(), []
    wheel = TimerWheel(clock)
    wheel.put(1.0, lambda: called.append("one"))
    wheel.put(5.0, lambda: called.append("five"))

    for _ in range(3):
        clock.pass_time(TICK_S)
        wheel.tick()
    assert called == []
    clock.pass_time(2 * TICK_S)
    wheel.tick()
    assert called == ["one"]
    clock.pass_time(100)
    wheel.tick()
    assert called == ["one", "five"]
    wheel.close()


async def test_who_wants_more_is_called_again():
    clock, called = SteppedClock(), []
    wheel = TimerWheel(clock)

    def due() -> float | None:
        called.append(clock.time_s)
        return 2.0 if len(called) < 3 else None

    wheel.put(2.0, due)
    for _ in range(40):
        clock.pass_time(TICK_S)
        wheel.tick()

    assert len(called) == 3
    assert all(after - before >= 2.0 for before, after in itertools.pairwise(called))
    wheel.close()


async def test_after_a_pause_nothing_old_is_waited_for():
    clock, called = SteppedClock(), []
    wheel = TimerWheel(clock)
    wheel.put(0.0, lambda: called.append(1))
    clock.pass_time(1)
    wheel.tick()
    clock.pass_time(10_000)
    wheel.put(0.0, lambda: called.append(2))
    clock.pass_time(1)
    wheel.tick()

    assert called == [1, 2]
    wheel.close()
