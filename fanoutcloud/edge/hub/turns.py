"""The end of a turn of the event loop, for all channels that had an item in it.

One callback a turn, however many channels: scheduling one for each was a tenth of what an item to a channel of one
subscriber cost.
"""

import asyncio
import logging
from typing import Protocol

logger = logging.getLogger(__name__)


class HasTurns(Protocol):
    """Something that has to be done with at the end of the turn in which it began."""

    def end_turn(self) -> None: ...


class Turns:
    """One per hub, on the hub's event loop."""

    __slots__ = ("_began", "_loop")

    def __init__(self) -> None:
        self._began: list[HasTurns] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, one: HasTurns) -> None:
        """Have `one.end_turn` called when this turn of the loop is over."""
        if not self._began:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._end)
        self._began.append(one)

    def _end(self) -> None:
        began, self._began = self._began, []
        for one in began:
            try:
                one.end_turn()
            except Exception:  # one channel's fault must not keep the others' items back
                logger.exception("turn_failed")
