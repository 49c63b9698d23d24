"""Refusals that are answered later the more there are of them: who ignores a limit must not cost others their time.

A refused request still costs most of what an accepted one does. A caller waits for its answer before it sends the next
request on a connection, so holding the answer for a moment slows it down by itself, and costs us a timer.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate
from fanoutcloud.core.names import RealmId

#: So many refusals of one realm are answered at once; who keeps to `Retry-After` never has more.
AT_ONCE = Rate(per_s=10.0, burst=20)
#: The others are held for half to one and a half times this long: about what `Retry-After` says, far below any client's
#: time-out, and spread, so that callers who began together do not come back together.
HOLD_S = 1.0
#: Held at a time in this process; with more, answers go out at once. Each is a request and a timer, about 5 KB.
MAX_HELD = 5_000
MAX_REALMS = 10_000


class RefusalPacer:
    """Holds refusals of realms that have many. One per process."""

    def __init__(self, clock: Clock, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._left: OrderedDict[RealmId, tuple[float, float]] = OrderedDict()  # answers at once, at
        self.held = 0

    async def pace(self, realm: RealmId) -> None:
        """Return when the refusal may be answered: at once, or after a moment. Cancelling it is harmless."""
        if self._take(realm) or self.held >= MAX_HELD:
            return
        self.held += 1
        try:
            await self._sleep(HOLD_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load, hides nothing
        finally:
            self.held -= 1

    def _take(self, realm: RealmId) -> bool:
        now = self._clock.monotonic()
        left, at = self._left.get(realm, (float(AT_ONCE.burst), now))
        left = min(AT_ONCE.burst, left + (now - at) * AT_ONCE.per_s)
        is_at_once = left >= 1
        self._left[realm] = (left - 1 if is_at_once else left, now)
        self._left.move_to_end(realm)
        if len(self._left) > MAX_REALMS:
            self._left.popitem(last=False)
        return is_at_once
