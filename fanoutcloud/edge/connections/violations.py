"""The log of clients that break the WebSocket protocol: one line for each, and never enough lines to fill a disk."""

import logging
from collections import OrderedDict
from typing import Protocol

from fanoutcloud.core.clock import Clock

logger = logging.getLogger(__name__)

#: An address is named once in this time, however often it comes.
SILENCE_S = 60.0
#: So many addresses are remembered, and so at most so many lines written in that time.
MAX_ADDRESSES = 1000


class Violator(Protocol):
    """Who broke the protocol."""

    @property
    def realm(self) -> str: ...

    @property
    def address(self) -> str: ...

    @property
    def connection(self) -> str: ...


class ViolationLog:
    """One per process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._noted_at: OrderedDict[str, float] = OrderedDict()

    def note(self, who: Violator, code: int, reason: str) -> None:
        """Log a violation with the close code that answered it, unless the address was named a moment ago."""
        now = self._clock.monotonic()
        while self._noted_at and next(iter(self._noted_at.values())) <= now - SILENCE_S:
            self._noted_at.popitem(last=False)
        if who.address in self._noted_at or len(self._noted_at) >= MAX_ADDRESSES:
            return
        self._noted_at[who.address] = now
        fields = {"realm": who.realm, "connection": who.connection, "address": who.address, "code": code}
        logger.warning("websocket_violation", extra={**fields, "why": reason})
