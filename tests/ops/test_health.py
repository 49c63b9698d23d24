"""Whether a process can do its work."""

import asyncio

import pytest

from fanoutcloud.core.statistics import ProcessStatistics
from fanoutcloud.ops import health
from fanoutcloud.ops.health import Health
from tests.fakes.clock import SteppedClock

PATIENCE_S = 10.0


class Part:
    """A part of the installation that can go, loudly or in silence."""

    def __init__(self) -> None:
        self.is_gone = self.is_silent = False
        self.asked = 0

    async def probe(self) -> None:
        self.asked += 1
        if self.is_gone:
            raise OSError("connection refused at 192.0.2.1")
        if self.is_silent:
            await asyncio.get_running_loop().create_future()


def make_health(**parts: Part) -> Health:
    return Health({name: part.probe for name, part in parts.items()}, SteppedClock(), ProcessStatistics())


async def test_nothing_is_ready_before_it_was_looked_at():
    watched = make_health(broker=Part())

    assert not watched.is_ready
    assert watched.problems == ["broker: not looked at yet"]


async def test_all_parts_have_to_be_well():
    broker, database = Part(), Part()
    watched = make_health(broker=broker, database=database)
    for name in ("broker", "database"):
        await watched.probe(name)
    was_ready = watched.is_ready
    database.is_gone = True
    await watched.probe("database")

    assert was_ready
    assert not watched.is_ready
    assert watched.problems == ["database: does not work"]  # and no address


async def test_a_part_that_comes_back_makes_it_ready_again():
    broker = Part()
    watched = make_health(broker=broker)
    broker.is_gone = True
    await watched.probe("broker")
    broker.is_gone = False
    await watched.probe("broker")

    assert watched.is_ready


async def test_a_silent_part_is_asked_one_question_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(health, "PROBE_TIMEOUT_S", 0.01)
    database = Part()
    database.is_silent = True
    watched = make_health(database=database)

    async with asyncio.timeout(PATIENCE_S):
        for _ in range(5):
            await watched.probe("database")

    assert watched.problems == ["database: no answer"]
    assert database.asked == 1
    watched._asking["database"].cancel()


async def test_draining_is_not_ready_whatever_the_parts_say():
    watched = make_health(broker=Part())
    await watched.probe("broker")
    watched.begin_draining()

    assert not watched.is_ready
    assert watched.problems == ["draining"]


async def test_it_looks_by_itself_and_leaves_nothing_behind():
    broker, database = Part(), Part()
    database.is_silent = True
    watched = make_health(broker=broker, database=database)
    running = asyncio.create_task(watched.run())
    async with asyncio.timeout(PATIENCE_S):
        while not watched.parts["broker"].is_well:  # noqa: ASYNC110 - a few turns away
            await asyncio.sleep(0)
    running.cancel()

    await asyncio.wait([running])

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == [] or await settled()


async def settled() -> bool:
    """Let tasks that were cancelled end; tell whether none is left."""
    async with asyncio.timeout(PATIENCE_S):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - a few turns away
            await asyncio.sleep(0)
    return True
