"""Refusals are answered later the more there are."""

import asyncio

import pytest

from fanoutcloud.core import pacing
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.pacing import AT_ONCE, HOLD_S, RefusalPacer
from tests.fakes.clock import SteppedClock

ALICE, CHARLIE = RealmId("0a1b2c3d"), RealmId("cc00cc00")


class PacingWorld:
    """A pacer whose sleeps are noted, and end when the test says so."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.sleeps: list[float] = []
        self.awake = asyncio.Event()
        self.awake.set()
        self.pacer = RefusalPacer(self.clock, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await self.awake.wait()

    async def refuse(self, times: int, realm: RealmId = ALICE) -> int:
        """Refuse so often; return how many of the refusals were held."""
        before = len(self.sleeps)
        for _ in range(times):
            await self.pacer.pace(realm)
        return len(self.sleeps) - before


async def test_the_first_are_answered_at_once_and_the_rest_are_held():
    world = PacingWorld()

    assert await world.refuse(AT_ONCE.burst) == 0
    assert await world.refuse(30) == 30
    assert all(HOLD_S / 2 <= seconds <= HOLD_S * 1.5 for seconds in world.sleeps)
    assert len(set(world.sleeps)) > 20  # they do not come back together


async def test_who_slows_down_is_answered_at_once_again():
    world = PacingWorld()
    await world.refuse(100)
    world.clock.pass_time(1)

    assert await world.refuse(int(AT_ONCE.per_s)) == 0
    assert await world.refuse(1) == 1


async def test_realms_do_not_slow_each_other():
    world = PacingWorld()
    await world.refuse(100)

    assert await world.refuse(1, CHARLIE) == 0


async def test_no_more_are_held_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pacing, "MAX_HELD", 3)
    world = PacingWorld()
    await world.refuse(AT_ONCE.burst)
    world.awake.clear()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(world.pacer.pace(ALICE))
        await asyncio.sleep(0)
        held = world.pacer.held
        world.awake.set()

    assert (held, len(world.sleeps)) == (3, 3)
    assert world.pacer.held == 0


async def test_realms_kept_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pacing, "MAX_REALMS", 5)
    world = PacingWorld()
    for number in range(20):
        await world.refuse(1, RealmId(f"realm-{number}"))

    assert len(world.pacer._left) == 5
