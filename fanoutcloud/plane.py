"""The delivery plane of one process, put together: broker, hub, directory, activity, publish endpoint.

Composition only: built from settings by `fanoutcloud.asgi`, which is the only one to import this.
"""

import asyncio
import contextlib
import json
import logging
from typing import cast

from django.apps import apps
from django.conf import LazySettings

from fanoutcloud.broker.activity import ActivityFeed
from fanoutcloud.broker.announcer import RedisAnnouncer
from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.core.clock import Clock, SystemClock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.app import EdgeApp
from fanoutcloud.edge.housekeeping import run_hub
from fanoutcloud.edge.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.sites import SiteNames
from publishing.apps import PublishingConfig
from publishing.authentication import Authenticator
from publishing.endpoint import PublishEndpoint
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from realms.announcements import CONTROL_TOPIC
from realms.apps import RealmsConfig
from realms.directory import CachedRealmDirectory
from realms.snapshots import load_snapshot

logger = logging.getLogger(__name__)

#: Connections closed per second while draining: clients come back at about this pace, to other processes.
DRAIN_PER_S = 2000
#: Everybody is told to leave within this time, however many there are.
DRAIN_LIMIT_S = 10.0


class Plane:
    """Parts of the delivery plane, and their life. One per process; lives on one event loop."""

    def __init__(self, settings: LazySettings) -> None:
        clock: Clock = SystemClock()
        self._streams_url: str = settings.STREAMS_URL
        self.broker: Broker = RedisBroker(self._streams_url, clock) if self._streams_url else MemoryBroker(clock)
        self.sites = SiteNames(settings.EDGE_DOMAIN, other_hosts=settings.ALLOWED_HOSTS)
        self.limits = EdgeLimits(max_channels=settings.MAX_CHANNELS_PER_SUBSCRIBER, keep_alive_s=settings.KEEP_ALIVE_S)
        self.activity = ActivityFeed(self.broker, clock)
        self.directory = CachedRealmDirectory(load_snapshot, clock)
        self.hub = Hub(broker=self.broker, activity=self.activity, limits=self.limits, clock=clock)
        self.activity.on_watch(self.hub.tell_all_connected)
        self.publisher = Publisher(
            broker=self.broker, activity=self.activity, limiter=PublishLimiter(clock), clock=clock
        )
        self.edge = EdgeApp(hub=self.hub, directory=self.directory, activity=self.activity)
        self.endpoint = PublishEndpoint(
            authenticator=Authenticator(self.directory, clock),
            publisher=self.publisher,
            activity=self.activity,
            clock=clock,
            max_body_bytes=settings.PUBLISH_BODY_BYTES,
        )
        self._running: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closing = contextlib.ExitStack()
        self.is_started = False

    async def start(self) -> None:
        """Connect the broker and begin the plane's own work. Idempotent.

        Raises:
            Unavailable: the broker can't be reached.
        """
        async with self._starting:
            if self.is_started:
                return
            await self.broker.start()
            self.broker.listen(CONTROL_TOPIC, self._on_control)
            self._hand_to_apps()
            # The plane owns this task: `stop` ends it and waits for it.
            self._running = asyncio.get_running_loop().create_task(self._run())
            self.is_started = True

    async def stop(self) -> None:
        """End everything; subscribers are cut off, so `drain` first."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        await self.directory.aclose()
        await self.broker.close()
        self._closing.close()
        self.is_started = False

    async def drain(self) -> None:
        """Tell every subscriber to reconnect elsewhere, at a pace that spreads their return."""
        subscribers = list(self.hub.subscribers)
        pace_per_s = max(DRAIN_PER_S, len(subscribers) / DRAIN_LIMIT_S)
        step = max(1, round(pace_per_s / 20))
        for start in range(0, len(subscribers), step):
            for subscriber in subscribers[start : start + step]:
                subscriber.close(CloseReason.DRAINING)
            if start + step < len(subscribers):
                await asyncio.sleep(1 / 20)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.activity.run())
            tasks.create_task(run_hub(self.hub, self.broker))

    def _hand_to_apps(self) -> None:
        """Give Django's side its two doors: views publish through the plane, services announce changes."""
        cast(PublishingConfig, apps.get_app_config("publishing")).plane = self
        realms = cast(RealmsConfig, apps.get_app_config("realms"))
        if isinstance(self.broker, MemoryBroker):
            realms.announcer = self.broker.announcer(asyncio.get_running_loop())
        else:
            realms.announcer = announcer = RedisAnnouncer(self._streams_url)
            self._closing.callback(announcer.close)

    def _on_control(self, payload: bytes) -> None:
        message = json.loads(payload)
        realm = RealmId(message["realm"])
        self.directory.invalidate(realm)
        if message["type"] == "realm_deleted":
            self.hub.close_realm(realm)
            self.hub.spawn(self._forget_realm(realm))

    async def _forget_realm(self, realm: RealmId) -> None:
        try:
            await self.broker.forget_realm(realm)
        except Unavailable:
            logger.warning("realm_streams_left", extra={"realm": realm})  # they expire by age
