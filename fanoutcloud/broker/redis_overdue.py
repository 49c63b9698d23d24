"""When to look again at channels in which items wait for their predecessor."""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Awaitable, Callable

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId

logger = logging.getLogger(__name__)

#: Redis counts in whole milliseconds, and its clock is not ours: come a little late rather than twice.
_MARGIN_S = 0.005
_RETRY_S = 1.0
_MAX_CHANNELS_AT_ONCE = 500

Channel = tuple[RealmId, ChannelName]


class OverdueTimer:
    """Calls `release` for each noted channel when its time has come. Owns one task, from `start` to `close`.

    Only a convenience for quick delivery: the items are in Redis, and go out at the latest with the next publish,
    subscribe or look at the position, by whichever process.
    """

    def __init__(self, clock: Clock, release: Callable[[list[Channel]], Awaitable[object]]) -> None:
        self._clock = clock
        self._release = release
        self._due: dict[Channel, float] = {}
        self._heap: list[tuple[float, Channel]] = []  # may hold times that `_due` no longer does
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="redis-overdue")  # owned: ended by close()

    async def close(self) -> None:
        """End the task; safe to call twice."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def note(self, channel: Channel, due_in_s: float) -> None:
        """Look at the channel in `due_in_s`, if not sooner."""
        due_at = self._clock.monotonic() + due_in_s + _MARGIN_S
        known = self._due.get(channel)
        if known is None or due_at < known:
            self._due[channel] = due_at
            heapq.heappush(self._heap, (due_at, channel))
            self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._wait()
            channels = self._take_due()
            if channels:
                await self._release_or_retry(channels)

    async def _wait(self) -> None:
        """Return when the first time has come, or an earlier one was noted."""
        self._changed.clear()
        delay_s = self._heap[0][0] - self._clock.monotonic() if self._heap else None
        if delay_s is None or delay_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):  # None: nothing waits anywhere, so nothing is late
                    await self._changed.wait()

    def _take_due(self) -> list[Channel]:
        now = self._clock.monotonic()
        channels: list[Channel] = []
        while self._heap and self._heap[0][0] <= now and len(channels) < _MAX_CHANNELS_AT_ONCE:
            due_at, channel = heapq.heappop(self._heap)
            if self._due.get(channel) == due_at:
                del self._due[channel]
                channels.append(channel)
        return channels

    async def _release_or_retry(self, channels: list[Channel]) -> None:
        try:
            await self._release(channels)
        except Exception as error:  # a task that ended here would leave all later channels to chance
            if not isinstance(error, Unavailable):
                logger.exception("overdue_release_failed")
            for channel in channels:
                self.note(channel, _RETRY_S)
