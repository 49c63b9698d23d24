"""How webhooks do, for metrics: looked at now and then, so that whoever reads metrics waits for nobody."""

import asyncio
from collections import Counter

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.statistics import WebhookStatistics
from fanoutcloud.core.webhooks import EventOutbox

LOOK_EVERY_S = 5.0


class WebhookWatch:
    """Keeps statistics as the outbox tells them: of the whole installation, where there is Redis."""

    def __init__(self, outbox: EventOutbox, clock: Clock, statistics: WebhookStatistics) -> None:
        self._outbox = outbox
        self._clock = clock
        self._statistics = statistics

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Look once; without an answer, what was known stays."""
        try:
            state = await self._outbox.look()
        except Unavailable:
            return
        statistics = self._statistics
        statistics.waiting = state.waiting
        statistics.oldest_s = 0.0 if state.oldest_at is None else max(0.0, self._clock.now() - state.oldest_at)
        statistics.calls = Counter(state.calls)
