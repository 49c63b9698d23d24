"""The end of a turn of the event loop reaches everybody who began in it, once."""

import asyncio

import pytest

from fanoutcloud.edge.hub.turns import Turns


class Recorder:
    def __init__(self) -> None:
        self.ends = 0

    def end_turn(self) -> None:
        self.ends += 1


class Faulty:
    def end_turn(self) -> None:
        raise RuntimeError("a fault")


async def test_all_who_began_in_a_turn_end_after_it() -> None:
    turns, first, second = Turns(), Recorder(), Recorder()

    turns.begin(first)
    turns.begin(second)
    assert first.ends == second.ends == 0
    await asyncio.sleep(0)

    assert first.ends == second.ends == 1
    await asyncio.sleep(0)
    assert first.ends == 1


async def test_the_next_turn_begins_anew() -> None:
    turns, recorder = Turns(), Recorder()
    turns.begin(recorder)
    await asyncio.sleep(0)

    turns.begin(recorder)
    await asyncio.sleep(0)

    assert recorder.ends == 2


async def test_a_fault_of_one_does_not_keep_the_others_back(caplog: pytest.LogCaptureFixture) -> None:
    turns, recorder = Turns(), Recorder()

    turns.begin(Faulty())
    turns.begin(recorder)
    await asyncio.sleep(0)

    assert recorder.ends == 1
    assert caplog.records[0].getMessage() == "turn_failed"
