"""A thread of its own for what one part of a worker asks of the database, so that the event loop never waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")


class DatabaseThread:
    """Runs one thing after the other. Of one event loop."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` there. Cancelling leaves it to end by itself."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def let_go(self) -> None:
        """Close the thread's connection; the next work opens another."""
        await self.run(connections.close_all)

    async def close(self) -> None:
        """End, once what was begun has ended."""
        await self.let_go()
        self._executor.shutdown(wait=False)
