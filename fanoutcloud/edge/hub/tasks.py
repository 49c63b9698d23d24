"""Tasks that outlive what began them, and end with their owner."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)


class TaskOwner:
    """Base of the hub: tasks begin once somebody runs them, by `own_tasks`."""

    def __init__(self) -> None:
        self._tasks: asyncio.TaskGroup | None = None

    def own_tasks(self, tasks: asyncio.TaskGroup) -> None:
        """Run this hub's tasks in `tasks`, which ends them all."""
        self._tasks = tasks

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
        """Run `work` until it ends or the hub does; a fault in it is logged and hurts nobody else.

        Raises:
            Unavailable: this process ends, and begins nothing any more.
        """
        if self._tasks is None:
            work.close()
            raise RuntimeError("the hub is not running")
        guarded = _guarded(work)
        try:
            self._tasks.create_task(guarded)
        except RuntimeError:
            guarded.close()
            work.close()
            raise Unavailable("this process ends", retry_after_s=1) from None


async def _guarded(work: Coroutine[Any, Any, None]) -> None:  # Any: what a coroutine yields and is sent
    try:
        await work
    except Exception:
        logger.exception("hub_task_failed")
