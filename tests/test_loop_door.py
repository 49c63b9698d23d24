"""From a thread to the event loop and back."""

import asyncio

import pytest

from fanoutcloud import loop_door
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.loop_door import LoopDoor


async def _answer() -> int:
    await asyncio.sleep(0)
    return 7


async def _never() -> None:
    await asyncio.get_running_loop().create_future()


async def _fail() -> None:
    raise KeyError("x")


async def test_a_thread_gets_the_answer_or_the_error() -> None:
    door = LoopDoor()
    door.open(asyncio.get_running_loop())

    assert await asyncio.to_thread(lambda: door.run(_answer())) == 7
    with pytest.raises(KeyError):
        await asyncio.to_thread(lambda: door.run(_fail()))


async def test_a_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_door, "PATIENCE_S", 0.01)
    door = LoopDoor()
    door.open(asyncio.get_running_loop())

    with pytest.raises(Unavailable):
        await asyncio.to_thread(lambda: door.run(_never()))


def test_a_closed_door_says_so() -> None:
    door = LoopDoor()
    with pytest.raises(Unavailable):
        door.run(_answer())

    loop = asyncio.new_event_loop()
    door.open(loop)
    door.close()
    with pytest.raises(Unavailable):
        door.run(_answer())

    door.open(loop)
    loop.close()
    with pytest.raises(Unavailable):
        door.run(_answer())
