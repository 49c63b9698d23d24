"""Carries activity from where it happens to who watches it, over broker announcements.

Nobody watching costs one dictionary look-up per event. A watcher announces itself on the topic `watch` every few
seconds; each process remembers that for a while, and meanwhile sends the realm's events to `activity:REALM`, at most
`MAX_EVENTS_PER_S` per process; what is above that is counted and told.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.activity import Event, Sampled
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId

WATCH_TOPIC = "watch"
WATCH_RENEWAL_S = 5.0
WATCH_TTL_S = 15.0
MAX_EVENTS_PER_S = 250
#: Events made within this time leave in one announcement.
FLUSH_INTERVAL_S = 0.02


class _Watch(msgspec.Struct):
    realm: RealmId
    begins: bool  # True: tell who is connected; False: only a renewal


class _Watched:
    """A realm that somebody watches: until when, what waits to be sent, and what was left out this second."""

    def __init__(self) -> None:
        self.until = 0.0
        self.lines: list[bytes] = []
        self.dropped = 0
        self.window_began = 0.0
        self.in_window = 0


class ActivityFeed:
    """Both ends of the feed: `record` for those who make events, `watch` for those who read them.

    `run` must be running for anything to be sent; it is owned by the composition. `on_watch` hooks are called on the
    event loop when somebody begins to watch a realm, so that the present state can be told.
    """

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._watched: dict[RealmId, _Watched] = {}
        self._has_lines = asyncio.Event()
        self._hooks: list[Callable[[RealmId], None]] = []
        self._encoder = msgspec.json.Encoder()
        self._unlisten = broker.listen(WATCH_TOPIC, self._on_watch)

    def on_watch(self, hook: Callable[[RealmId], None]) -> None:
        """Have `hook` called with the realm whenever somebody begins to watch one."""
        self._hooks.append(hook)

    def is_watched(self, realm: RealmId) -> bool:
        watched = self._watched.get(realm)
        return watched is not None and watched.until > self._clock.monotonic()

    def record(self, realm: RealmId, event: Event) -> None:
        watched = self._watched.get(realm)
        now = self._clock.monotonic()
        if watched is None or watched.until <= now:
            return
        if now - watched.window_began >= 1.0:
            self._begin_window(watched, now)
        if watched.in_window >= MAX_EVENTS_PER_S:
            watched.dropped += 1
        else:
            watched.in_window += 1
            watched.lines.append(self._encoder.encode(event))
        self._has_lines.set()

    @asynccontextmanager
    async def watch(self, realm: RealmId, callback: Callable[[bytes], None]) -> AsyncIterator[None]:
        """While inside, call `callback` with each event of the realm, as one JSON object.

        Raises:
            Unavailable: the broker can't be reached.
        """
        unlisten = self._broker.listen(f"activity:{realm}", lambda payload: _each_line(payload, callback))
        renewal: asyncio.Task[None] | None = None
        try:
            await self._announce_watch(realm, begins=True)
            renewal = asyncio.get_running_loop().create_task(self._renew(realm))
            yield
        finally:
            unlisten()
            if renewal is not None:
                renewal.cancel()
                await asyncio.wait([renewal])

    async def run(self) -> None:
        """Send recorded events until cancelled; events that can't be sent are dropped and counted."""
        while True:
            await self._has_lines.wait()
            self._has_lines.clear()
            await asyncio.sleep(FLUSH_INTERVAL_S)
            for realm, watched in list(self._watched.items()):
                await self._flush(realm, watched)

    async def _flush(self, realm: RealmId, watched: _Watched) -> None:
        now = self._clock.monotonic()
        if watched.dropped and now - watched.window_began >= 1.0:
            self._begin_window(watched, now)
        lines, watched.lines = watched.lines, []
        if lines:
            try:
                await self._broker.announce(f"activity:{realm}", b"\n".join(lines))
            except Unavailable:
                watched.dropped += len(lines)
        if watched.until <= now:
            del self._watched[realm]
        elif watched.dropped:
            self._has_lines.set()  # come back to tell of them once the second is over

    def _begin_window(self, watched: _Watched, now: float) -> None:
        """Begin another second; tell what was left out of the one before, also when it goes on as busy."""
        watched.window_began, watched.in_window = now, 0
        if watched.dropped:
            watched.lines.append(self._encoder.encode(Sampled(at=self._clock.now(), dropped=watched.dropped)))
            watched.dropped = 0

    async def _renew(self, realm: RealmId) -> None:
        while True:
            await asyncio.sleep(WATCH_RENEWAL_S)
            try:
                await self._announce_watch(realm, begins=False)
            except Unavailable:
                continue  # the next renewal may get through; until then events are merely not shown

    async def _announce_watch(self, realm: RealmId, *, begins: bool) -> None:
        await self._broker.announce(WATCH_TOPIC, msgspec.json.encode(_Watch(realm, begins)))

    def _on_watch(self, payload: bytes) -> None:
        watch = msgspec.json.decode(payload, type=_Watch)
        watched = self._watched.setdefault(watch.realm, _Watched())
        watched.until = self._clock.monotonic() + WATCH_TTL_S
        if watch.begins:
            for hook in self._hooks:
                hook(watch.realm)


def _each_line(payload: bytes, callback: Callable[[bytes], None]) -> None:
    for line in payload.split(b"\n"):
        callback(line)
