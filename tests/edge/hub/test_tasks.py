"""Tasks of the hub: a fault hurts nobody else, and nothing begins once the process ends."""

import asyncio
import logging

import pytest

from fanoutcloud.core.errors import Unavailable
from fanoutcloud.edge.hub.tasks import TaskOwner


async def test_what_fails_is_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    owner, done = TaskOwner(), asyncio.Event()

    async def fail() -> None:
        raise ValueError("a fault")

    async def go_on() -> None:
        await asyncio.sleep(0.01)
        done.set()

    with caplog.at_level(logging.ERROR):
        async with asyncio.TaskGroup() as tasks:
            owner.own_tasks(tasks)
            owner.spawn(fail())
            owner.spawn(go_on())

    assert done.is_set()
    assert "a fault" in caplog.text


async def test_when_the_process_ends_whoever_wants_to_begin_is_told_to_come_again() -> None:
    owner = TaskOwner()
    async with asyncio.TaskGroup() as tasks:
        owner.own_tasks(tasks)

    with pytest.raises(Unavailable, match="this process ends") as refusal:
        owner.spawn(asyncio.sleep(0))

    assert refusal.value.retry_after_s == 1


async def test_nothing_begins_before_somebody_runs_the_tasks() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        TaskOwner().spawn(asyncio.sleep(0))
