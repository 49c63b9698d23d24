"""What happens beside items, for watchers of a realm and for its webhooks: connections, origins' faults, limits.

An `ActivitySink` in front of the feed that people watch. For realms whose webhooks want such events it puts them into
the outbox, beside what is going on: nobody waits for it. What comes too fast for the outbox is dropped, counted and
logged; items are not sent this way, so none of them is ever dropped.
"""

import asyncio
import logging
from collections import OrderedDict, deque

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

    # -- ActivitySink

    def is_watched(self, realm: RealmId) -> bool:
        """See `ActivitySink.is_watched`: webhooks watch, too."""
        return self._feed.is_watched(realm) or self._find_wishes(realm) is not None

    def record(self, realm: RealmId, event: Event) -> None:
        """See `ActivitySink.record`."""
        self._feed.record(realm, event)
        snapshot = self._find_wishes(realm)
        made = None if snapshot is None else _to_hook_event(realm, event)
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
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(PUT_EVERY_S)
            while self._waiting:
                await self._put_next()

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


def _to_hook_event(realm: RealmId, event: Event) -> HookEvent | None:
    window = int(event.at // QUIET_S)
    match event:
        case Connected():
            members = _members(event, "connection", "transport", "channels", "address", "user")
            return HookEvent(realm, "connection.opened", f"opened:{event.connection}", event.at, data=members)
        case Disconnected():
            members = _members(event, "connection", "transport", "channels", "reason", "user")
            return HookEvent(realm, "connection.closed", f"closed:{event.connection}", event.at, data=members)
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
