"""The end of a turn of the event loop reaches everybody who has left something to it, once."""

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


async def test_what_is_left_to_the_end_of_a_turn_is_done_once() -> None:
    turns, first, second = Turns(), Recorder(), Recorder()

    turns.notice()
    turns.leave_to_end(first)
    turns.leave_to_end(second)
    assert first.ends == second.ends == 0
    await asyncio.sleep(0)

    assert first.ends == second.ends == 1
    await asyncio.sleep(0)
    assert first.ends == 1


async def test_a_turn_keeps_its_number_and_the_next_has_another() -> None:
    turns = Turns()

    first, again = turns.notice(), turns.notice()
    await asyncio.sleep(0)
    second = turns.notice()

    assert first == again == turns.number - 1
    assert second == turns.number


async def test_the_next_turn_begins_anew() -> None:
    turns, recorder = Turns(), Recorder()
    turns.notice()
    turns.leave_to_end(recorder)
    await asyncio.sleep(0)

    turns.notice()
    turns.leave_to_end(recorder)
    await asyncio.sleep(0)

    assert recorder.ends == 2


async def test_a_fault_of_one_does_not_keep_the_others_back(caplog: pytest.LogCaptureFixture) -> None:
    turns, recorder = Turns(), Recorder()

    turns.notice()
    turns.leave_to_end(Faulty())
    turns.leave_to_end(recorder)
    await asyncio.sleep(0)

    assert recorder.ends == 1
    assert caplog.records[0].getMessage() == "turn_failed"
