"""Turns of the event loop, for channels that write what several items of one turn come to with one write at its end.

One callback a turn, however many channels. A channel that has but one item in a turn, as nearly all have where there
are many, only compares two numbers.
"""

import asyncio
import logging
from typing import Protocol

logger = logging.getLogger(__name__)


class HasTurns(Protocol):
    """Something that is left to be done when a turn is over."""

    def end_turn(self) -> None: ...


class Turns:
    """One per hub, on the hub's event loop."""

    __slots__ = ("_is_noticed", "_left", "_loop", "number")

    def __init__(self) -> None:
        #: Of the present turn, as far as anybody took notice of it: turns in which nobody did have no number.
        self.number = 1
        self._is_noticed = False
        self._left: list[HasTurns] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def notice(self) -> int:
        """Return the number of this turn: another one than that of any other turn."""
        if not self._is_noticed:
            self._is_noticed = True
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._end)
        return self.number

    def leave_to_end(self, one: HasTurns) -> None:
        """Have `one.end_turn` called when this turn, which was noticed, is over."""
        self._left.append(one)

    def _end(self) -> None:
        self.number += 1
        self._is_noticed = False
        left, self._left = self._left, []
        for one in left:
            try:
                one.end_turn()
            except Exception:  # one channel's fault must not keep the others' items back
                logger.exception("turn_failed")
