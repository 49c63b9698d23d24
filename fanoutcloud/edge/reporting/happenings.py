"""What happens beside items, for watchers of a realm and for its webhooks: connections, origins' faults, limits.

An `ActivitySink` in front of the feed that people watch. For realms whose webhooks want such events it puts them into
the outbox, beside what is going on: nobody waits for it. What comes too fast for the outbox is dropped, counted and
logged; items are not sent this way, so none of them is ever dropped.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from typing import Protocol

import msgspec

from fanoutcloud.core.activity import ActivitySink, Connected, Disconnected, Event, OriginFailure, Refused
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.errors import LimitReached, NotFound, Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import EventKind as PresenceEventKind
from fanoutcloud.core.presence import KeptEvent
from fanoutcloud.core.webhooks import EventKind, EventOutbox, HookEvent

logger = logging.getLogger(__name__)

#: Events of this process that wait for the outbox; the oldest are dropped beyond that.
MAX_WAITING = 20_000
PUT_EVERY_S = 0.05
#: After the outbox was full, or did not answer.
RETRY_S = 1.0
#: The same fault, and the same limit, is told once in so long.
QUIET_S = 10
MAX_TOLD = 10_000

_KINDS: dict[PresenceEventKind, EventKind] = {
    "occupied": "channel.occupied",
    "vacated": "channel.vacated",
    "joined": "presence.join",
    "left": "presence.leave",
}
_encode = msgspec.json.Encoder().encode


class ConnectionBook(Protocol):
    """Where connections are written down while they are open; see `open_connections`."""

    def note(self, realm: RealmId, event: Event) -> None: ...

    async def write_opened(self) -> None: ...

    async def cross_out_ended(self) -> None: ...

    async def run(self) -> None: ...


class Happenings:
    """One per process. `run` must be running for webhooks to hear of anything but presence."""

    def __init__(self, feed: ActivitySink, outbox: EventOutbox, directory: RealmDirectory, clock: Clock) -> None:
        self._feed = feed
        self._outbox = outbox
        self._directory = directory
        self._clock = clock
        self._waiting: deque[HookEvent] = deque(maxlen=MAX_WAITING)
        self._news = asyncio.Event()
        self._told: OrderedDict[tuple[RealmId, str], None] = OrderedDict()
        self.dropped = 0
        #: Set by the composition where other processes would tell that connections of this one have ended.
        self.open_connections: ConnectionBook | None = None
        #: Of an edge that was taken for dead and lives: its connections are told as opened and closed once more.
        self.life = ""

    # -- ActivitySink

    def is_watched(self, realm: RealmId) -> bool:
        """See `ActivitySink.is_watched`: webhooks watch, too."""
        return self._feed.is_watched(realm) or self._find_wishes(realm) is not None

    def record(self, realm: RealmId, event: Event) -> None:
        """See `ActivitySink.record`."""
        self._feed.record(realm, event)
        snapshot = self._find_wishes(realm)
        if snapshot is not None and self.open_connections and snapshot.webhooks.includes("connection.closed"):
            self.open_connections.note(realm, event)
            self._news.set()
        made = None if snapshot is None else to_hook_event(realm, event, self.life)
        if made is None or snapshot is None or not snapshot.webhooks.includes(made.kind) or self._is_told(made):
            return
        self.dropped += len(self._waiting) == MAX_WAITING
        self._waiting.append(made)
        self._news.set()

    def _find_wishes(self, realm: RealmId) -> RealmSnapshot | None:
        snapshot = self._directory.find_cached(realm)
        return snapshot if snapshot is not None and snapshot.webhooks.has_realm_kinds else None

    def _is_told(self, event: HookEvent) -> bool:
        name = (event.realm, event.key)
        if name in self._told:
            return True
        self._told[name] = None
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        return False

    async def run(self) -> None:
        """Put events into the outbox until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self.open_connections is not None:
                tasks.create_task(self.open_connections.run())
            await self._put_for_ever()

    async def _put_for_ever(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(PUT_EVERY_S)
            try:
                await self._put_all()
            except Unavailable:
                self._news.set()
                await asyncio.sleep(RETRY_S)

    async def _put_all(self) -> None:
        """Put what waits. A connection is written down before its opening is told, and until its end is."""
        if self.open_connections is not None:
            await self.open_connections.write_opened()
        while self._waiting:
            await self._put_next()
        if self.open_connections is not None:
            await self.open_connections.cross_out_ended()

    async def _put_next(self) -> None:
        """Put the next events of one realm; those that the realm has no room for are dropped."""
        realm = self._waiting[0].realm
        run: list[HookEvent] = []
        while self._waiting and self._waiting[0].realm == realm and len(run) < 100:
            run.append(self._waiting.popleft())
        try:
            await self._outbox.put(run)
        except LimitReached:
            self.dropped += len(run)
            logger.warning("webhook_events_dropped", extra={"realm": realm, "dropped": len(run)})
        except Unavailable:
            self._waiting.extendleft(reversed(run))
            await asyncio.sleep(RETRY_S)

    # -- presence

    async def keep(self, realm: RealmId, kept: KeptEvent) -> None:
        """Put an event of a channel's presence into the outbox, if webhooks want it. Its id makes it one for ever.

        Raises:
            Unavailable: it is not in the outbox; whoever keeps it tries again.
        """
        snapshot = self._directory.find_cached(realm)
        try:
            snapshot = snapshot or await self._directory.find_realm(realm)
        except NotFound:
            return
        kind = _KINDS[kept.event.kind]
        channel = ChannelName(kept.channel)
        if snapshot is None or not snapshot.webhooks.covers(kind, channel, snapshot.rules):
            return
        data: dict[str, object] = {}
        if kept.event.user:
            data["user"] = kept.event.user
        if kept.event.info is not None:
            data["info"] = msgspec.Raw(kept.event.info)
        event = HookEvent(realm, kind, f"presence:{kept.id}", kept.at, channel, data=_encode(data) if data else b"")
        try:
            await self._outbox.put([event])
        except LimitReached as full:
            raise Unavailable(full.message, retry_after_s=full.retry_after_s) from None


def to_hook_event(realm: RealmId, event: Event, life: str = "") -> HookEvent | None:
    """Return the event that webhooks are told, if they are of this kind. `life`: see `Happenings.life`."""
    again = f":{life}" if life else ""
    window = int(event.at // QUIET_S)
    match event:
        case Connected():
            members = _members(event, "connection", "transport", "channels", "address", "user")
            return HookEvent(realm, "connection.opened", f"opened:{event.connection}{again}", event.at, data=members)
        case Disconnected():
            members = _members(event, "connection", "transport", "channels", "reason", "user")
            return HookEvent(realm, "connection.closed", f"closed:{event.connection}{again}", event.at, data=members)
        case OriginFailure():
            members = _members(event, "origin", "method", "path", "cause", "message", "cure", "status")
            key = f"origin:{event.origin}:{event.cause}:{window}"
            return HookEvent(realm, "origin.error", key, event.at, data=members)
        case Refused(status=429):
            members = _members(event, "code", "message", "cure")
            return HookEvent(realm, "limit.reached", f"limit:{event.code}:{window}", event.at, data=members)
    return None


def _members(event: Event, *names: str) -> bytes:
    return _encode({name: getattr(event, name) for name in names})
