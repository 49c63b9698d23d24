"""The feed behind the quick start and the live console: what the server sees of a realm, to its owner's browser.

Wire format: docs/api/activity.md, plus `watching` first and `keep-alive` when nothing else is said.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError

from fanoutcloud.broker.activity import ActivityFeed, Watching
from fanoutcloud.core.activity import Sampled
from fanoutcloud.core.activity_filter import ActivityFilter, parse_filter
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import InvalidRequest, Unavailable
from fanoutcloud.core.names import RealmId
from onboarding.services import QuickStartStep, get_progress, mark_step
from onboarding.visitors import find_visitors_sandbox
from onboarding.watchers import find_realm_by_credential
from realms.errors import RealmNotFound
from realms.models import Realm
from realms.roles import Role
from realms.selectors import access_realm

logger = logging.getLogger(__name__)

#: Events that wait for one browser; what comes on top is left out and counted.
MAX_WAITING_EVENTS = 500
#: Said when nothing else is; also how often the session is looked at again.
KEEP_ALIVE_S = 20.0
#: A browser that has not taken one message in this time is gone.
SEND_TIMEOUT_S = 30.0
NOT_FOUND = 4404
# Close codes of the IANA registry for WebSockets (RFC 6455 §11.7).
INTERNAL_ERROR = 1011
TRY_AGAIN_LATER = 1013

Scope = MutableMapping[str, Any]  # ASGI's own type: any value, by name
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_STEP_OF_KIND = {
    "connected": QuickStartStep.SUBSCRIBED,
    "published": QuickStartStep.PUBLISHED,
    "delivered": QuickStartStep.DELIVERED,
    "passed_on": QuickStartStep.PASSED_ON,
}
#: Transports of requests and WebSockets that an origin had us hold.
_HOLD = "hold-"
_KEEP_ALIVE = b'{"kind":"keep-alive"}'


class _AnyEvent(msgspec.Struct):
    kind: str
    transport: str = ""
    by_transport: dict[str, int] = {}

    @property
    def steps(self) -> set[QuickStartStep]:
        """The steps of the quick start that the event is."""
        steps = {_STEP_OF_KIND[self.kind]} if self.kind in _STEP_OF_KIND else set()
        if self.kind == "connected" and self.transport.startswith(_HOLD):
            steps.add(QuickStartStep.HELD)
        if self.kind == "delivered" and any(name.startswith(_HOLD) for name in self.by_transport):
            steps.add(QuickStartStep.PUSHED)
        return steps


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels is untyped
    """One open page. Holds at most `MAX_WAITING_EVENTS`; a slow browser misses events, and is told how many.

    Closed with 4404 before it is accepted when the realm is not this user's, and later when it no longer is.
    """

    def __init__(self, *args: Any, activity: ActivityFeed, keep_alive_s: float = KEEP_ALIVE_S, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._activity = activity
        self._keep_alive_s = keep_alive_s
        self._clock = SystemClock()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._dropped = 0
        self._unseen: set[QuickStartStep] = set()
        self._to_store: set[QuickStartStep] = set()
        self._task: asyncio.Task[None] | None = None
        self._watching: Watching | None = None
        self._wants = ActivityFilter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the connection; the feed's task ends with it, however that is."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task])

    async def connect(self) -> None:
        """Let those in who may look at the realm, and nobody else."""
        realm = await self._find_realm()
        if realm is None:
            await self.close(code=NOT_FOUND)
            return
        await self.accept()
        # `__call__` owns this task: it ends it and waits for it.
        self._task = asyncio.get_running_loop().create_task(self._feed(realm))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Show from now on what the browser says it wants; what is no filter is passed over."""
        try:
            self._wants = parse_filter(text_data or "")
        except InvalidRequest:
            return
        if self._watching is not None:
            self._watching.wants = self._wants
            with contextlib.suppress(Unavailable):  # the next renewal tells
                await self._watching.announce()

    async def _feed(self, realm: Realm) -> None:
        """Tell how far the quick start is, then what happens, until cancelled or no longer allowed."""
        try:
            await self._tell_progress(realm)
            async with self._activity.watch(RealmId(realm.pk), self._on_event, self._wants) as self._watching:
                await self._pump(realm)
        except OSError as error:  # the browser has gone, or (TimeoutError is one) does not read
            logger.debug("live_feed_lost", extra={"realm": realm.pk, "error": type(error).__name__})
            if isinstance(error, TimeoutError):
                await self.close(code=TRY_AGAIN_LATER)
        except Unavailable:
            await self.close(code=TRY_AGAIN_LATER)
        except Exception:
            logger.exception("live_feed_failed", extra={"realm": realm.pk})
            await self.close(code=INTERNAL_ERROR)

    async def _tell_progress(self, realm: Realm) -> None:
        progress = await database_sync_to_async(get_progress)(realm)
        self._unseen = {step for step in QuickStartStep if getattr(progress, step.value) is None}
        told = {step.name.lower(): step not in self._unseen for step in QuickStartStep}
        watching = {"kind": "watching", "at": self._clock.now(), "progress": told}
        await self._say(msgspec.json.encode(watching))

    def _on_event(self, event: bytes) -> None:
        """Queue an event; called on the event loop, never waits. Steps are noted even of events that are dropped."""
        if self._unseen:
            seen = msgspec.json.decode(event, type=_AnyEvent).steps & self._unseen
            self._unseen -= seen
            self._to_store |= seen
        if not self._wants.matches(event):  # it is for somebody else who watches
            return
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            self._dropped += 1

    async def _pump(self, realm: Realm) -> None:
        check_at = self._clock.monotonic() + self._keep_alive_s
        while True:
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    event = await self._waiting.get()
            except TimeoutError:
                event = _KEEP_ALIVE
            await self._store_steps(realm)  # before the tick is shown: a reload must not take it back
            await self._tell_dropped()
            await self._say(event)
            if self._clock.monotonic() >= check_at:
                if await self._find_realm() is None:
                    await self.close(code=NOT_FOUND)
                    return
                check_at = self._clock.monotonic() + self._keep_alive_s

    async def _store_steps(self, realm: Realm) -> None:
        """Store the steps seen since the last call. Ticks that can't be stored are made again by later events."""
        while self._to_store:
            step = self._to_store.pop()
            try:
                await database_sync_to_async(mark_step)(realm, step)
            except DatabaseError:
                logger.warning("quick_start_step_not_stored", extra={"realm": realm.pk, "step": step.value})
                self._unseen.add(step)

    async def _tell_dropped(self) -> None:
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            await self._say(msgspec.json.encode(Sampled(at=self._clock.now(), dropped=dropped)))

    async def _say(self, event: bytes) -> None:
        """Send one event.

        Raises:
            TimeoutError: the browser does not take it.
        """
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self.send(text_data=event.decode())

    async def _find_realm(self) -> Realm | None:
        realm: Realm | None = await database_sync_to_async(_find_realm)(self.scope)
        return realm


def _find_realm(scope: Scope) -> Realm | None:
    """Return the realm of the address if the session lives, and its user may look at the realm or tries it out."""
    session, wanted = scope["session"], scope["url_route"]["kwargs"]["realm"]
    if (credential := dict(scope["headers"]).get(b"authorization")) is not None:
        return find_realm_by_credential(credential, wanted, address=str((scope.get("client") or [""])[0]))
    if not session.session_key or not session.exists(session.session_key):
        return None  # signed out since, perhaps in another tab
    sandbox = find_visitors_sandbox(session)
    if sandbox is not None and sandbox.realm_id == wanted:
        return sandbox.realm
    try:
        return access_realm(scope["user"], wanted, at_least=Role.VIEWER)
    except RealmNotFound:
        return None
