"""From Django's threads to the delivery plane's event loop, and back with the answer."""

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from fanoutcloud.core.errors import Unavailable

T = TypeVar("T")

#: A view waits no longer; what it asks for bounds itself to less.
PATIENCE_S = 2.0


class LoopDoor:
    """Runs coroutines on one loop for threads that wait. Closed until `open`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run what comes on `loop`."""
        self._loop = loop

    def close(self) -> None:
        """Run nothing more."""
        self._loop = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:  # Any: what a coroutine yields and is sent
        """Return what `work` returns, or raise what it raises. Not for the loop's own thread.

        Raises:
            Unavailable: the plane is not running here, or took longer than `PATIENCE_S`.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            work.close()
            raise Unavailable("the delivery plane is not running here", retry_after_s=1)
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result(timeout=PATIENCE_S)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise Unavailable("the delivery plane does not answer", retry_after_s=1) from None
