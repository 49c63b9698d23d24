"""Carries activity from where it happens to who watches it, over broker announcements.

Nobody watching costs one dictionary look-up per event. A watcher announces itself on the topic `watch` every few
seconds, and which events it wants; each process remembers that for a while, and meanwhile sends the realm's events to
`activity:REALM`: those that some watcher wants, and of each kind no more than `broker.activity_sampling` admits. What
is left out is counted and told.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from fanoutcloud.broker.activity_sampling import Sampler
from fanoutcloud.broker.base import Broker
from fanoutcloud.core.activity import Event, Sampled
from fanoutcloud.core.activity_filter import ActivityFilter
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId

WATCH_TOPIC = "watch"
WATCH_RENEWAL_S = 5.0
WATCH_TTL_S = 15.0
#: Events made within this time leave in one announcement.
FLUSH_INTERVAL_S = 0.02


class _Watch(msgspec.Struct):
    realm: RealmId
    begins: bool  # True: tell who is connected; False: only a renewal
    watcher: str = ""
    wants: ActivityFilter = ActivityFilter()


class _Watched:
    """A realm that somebody watches: until when, who wants what, what waits to be sent, and what is left out."""

    def __init__(self) -> None:
        self.until = 0.0
        self.lines: list[bytes] = []
        self.sampler = Sampler()
        self._watchers: dict[str, tuple[float, ActivityFilter]] = {}
        #: What watchers want; None: one of them wants everything.
        self._wanted: list[ActivityFilter] | None = None

    def note(self, watch: _Watch, now: float) -> None:
        """Know for a while that somebody watches, and what they want."""
        self.until = now + WATCH_TTL_S
        self._watchers[watch.watcher] = self.until, watch.wants
        self._watchers = {name: one for name, one in self._watchers.items() if one[0] > now}
        wanted = [wants for _, wants in self._watchers.values()]
        self._wanted = None if any(wants.is_empty for wants in wanted) else wanted

    @property
    def wants_everything(self) -> bool:
        """Whether one of the watchers does."""
        return self._wanted is None

    def is_wanted(self, line: bytes) -> bool:
        """Tell whether a watcher wants the event."""
        return self._wanted is None or any(wants.matches(line) for wants in self._wanted)


class Watching:
    """Somebody's watch of a realm, while it lasts."""

    def __init__(self, feed: "ActivityFeed", realm: RealmId, wants: ActivityFilter) -> None:
        self._feed = feed
        self._realm = realm
        self._name = secrets.token_hex(8)
        self.wants = wants

    async def announce(self, *, begins: bool = False) -> None:
        """Have all processes know what is wanted now; also called now and then so that they go on.

        Raises:
            Unavailable: the broker can't be reached.
        """
        await self._feed.announce_watch(_Watch(self._realm, begins, self._name, self.wants))


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
        if now - watched.sampler.began_at >= 1.0:
            self._begin_second(watched, now)
        kind = str(event.__struct_config__.tag)
        if watched.wants_everything:
            if watched.sampler.admit(kind):
                watched.lines.append(self._encoder.encode(event))
        elif watched.is_wanted(line := self._encoder.encode(event)) and watched.sampler.admit(kind):
            watched.lines.append(line)
        self._has_lines.set()

    @asynccontextmanager
    async def watch(
        self, realm: RealmId, callback: Callable[[bytes], None], wants: ActivityFilter | None = None
    ) -> AsyncIterator[Watching]:
        """While inside, call `callback` with each event of the realm, as one JSON object.

        Events that are not wanted may come, too: other watchers want them.

        Raises:
            Unavailable: the broker can't be reached.
        """
        unlisten = self._broker.listen(f"activity:{realm}", lambda payload: _each_line(payload, callback))
        watching = Watching(self, realm, wants or ActivityFilter())
        renewal: asyncio.Task[None] | None = None
        try:
            await watching.announce(begins=True)
            renewal = asyncio.get_running_loop().create_task(_renew(watching))
            yield watching
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
        now, sampler = self._clock.monotonic(), watched.sampler
        if sampler.dropped and now - sampler.began_at >= 1.0:
            self._begin_second(watched, now)
        lines, watched.lines = watched.lines, []
        if lines:
            try:
                await self._broker.announce(f"activity:{realm}", b"\n".join(lines))
            except Unavailable:
                sampler.dropped += len(lines)
        if watched.until <= now:
            del self._watched[realm]
        elif sampler.dropped:
            self._has_lines.set()  # come back to tell of them once the second is over

    def _begin_second(self, watched: _Watched, now: float) -> None:
        """Begin another second; tell what was left out of the one before, also when it goes on as busy."""
        dropped, shown = watched.sampler.begin_second(now)
        if dropped:
            watched.lines.append(self._encoder.encode(Sampled(at=self._clock.now(), dropped=dropped, shown=shown)))

    async def announce_watch(self, watch: _Watch) -> None:
        """Tell all processes of a watch."""
        await self._broker.announce(WATCH_TOPIC, msgspec.json.encode(watch))

    def _on_watch(self, payload: bytes) -> None:
        watch = msgspec.json.decode(payload, type=_Watch)
        self._watched.setdefault(watch.realm, _Watched()).note(watch, self._clock.monotonic())
        if watch.begins:
            for hook in self._hooks:
                hook(watch.realm)


async def _renew(watching: Watching) -> None:
    while True:
        await asyncio.sleep(WATCH_RENEWAL_S)
        try:
            await watching.announce()
        except Unavailable:
            continue  # the next renewal may get through; until then events are merely not shown


def _each_line(payload: bytes, callback: Callable[[bytes], None]) -> None:
    for line in payload.split(b"\n"):
        callback(line)
