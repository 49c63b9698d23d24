"""The delivery plane of one process, put together: broker, hub, directory, activity, publish endpoint.

Composition only: built from settings by `fanoutcloud.asgi` or `fanoutcloud.edge_asgi`, and by nobody else.
"""

import asyncio
import contextlib
import itertools
import json
import logging
import math
import secrets
from functools import partial
from typing import TYPE_CHECKING, cast

from channels.db import database_sync_to_async
from django.apps import apps
from django.conf import LazySettings
from django.db import Error as DatabaseFailure

from fanoutcloud.broker.activity import ActivityFeed
from fanoutcloud.broker.announcer import RedisAnnouncer
from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.event_outboxes import make_event_outbox
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.memory_presence import MemoryPresenceStore
from fanoutcloud.broker.pattern_board import PatternBoard
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_presence import RedisPresenceStore
from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.clock import Clock, SystemClock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.names import HostName, RealmId
from fanoutcloud.core.presence import PresenceStore
from fanoutcloud.core.statistics import Statistics
from fanoutcloud.edge.access.enforcement import Enforcement
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.app import EdgeApp
from fanoutcloud.edge.hub.housekeeping import run_hub
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.presence.presence import Presence
from fanoutcloud.edge.reporting.census import Census
from fanoutcloud.edge.reporting.happenings import Happenings
from fanoutcloud.edge.reporting.open_connections import keep_open_connections
from fanoutcloud.edge.reporting.reads import AskingReads
from fanoutcloud.edge.reporting.subscription_log import SubscriptionLog
from fanoutcloud.edge.selection.pattern_followers import PatternFollowers
from fanoutcloud.edge.site.sites import SiteFinder, SiteNames
from fanoutcloud.loop_door import LoopDoor
from fanoutcloud.ops.endpoints import OpsEndpoints
from fanoutcloud.ops.health import Health, Probe
from fanoutcloud.ops.metrics import Metrics
from fanoutcloud.ops.webhook_watch import WebhookWatch
from fanoutcloud.passing_on import PassingOn
from fanoutcloud.quotas import Quotas
from fanoutcloud.subscription_feed import SubscriptionFeed
from fanoutcloud.usage_store import SETTLES_S, UsageStore
from publishing.apps import PublishingConfig
from publishing.authentication import Authenticator
from publishing.endpoint import PublishEndpoint
from publishing.services import Publisher
from publishing.webhooks.interest import load_snapshot_with_webhooks
from realms.announcements import CONTROL_TOPIC
from realms.apps import RealmsConfig
from realms.database import ask_database
from realms.directory import CachedRealmDirectory
from realms.hosts import own_hosts
from realms.services import add_usage, feeds, say_connected
from realms.services.key_fetching import fetch_keys_of_realm
from realms.snapshots import load_host

if TYPE_CHECKING:
    from fanoutcloud.xmpp_doors import XmppDoors

follow_subscriptions = database_sync_to_async(feeds.follow_subscriptions, thread_sensitive=False)
add_usage_off_loop = database_sync_to_async(add_usage, thread_sensitive=False)
say_connected_off_loop = database_sync_to_async(say_connected, thread_sensitive=False)

logger = logging.getLogger(__name__)

#: How often a broker is tried that is not there when the process begins.
BROKER_RETRY_S = 1.0
#: Draining goes in steps of this length.
DRAIN_STEP_S = 0.05


class Plane:
    """Parts of the delivery plane, and their life. One per process; lives on one event loop."""

    #: The XMPP gateway, where this process is it: see `use_xmpp`.
    xmpp: "XmppDoors | None" = None

    def __init__(self, settings: LazySettings) -> None:
        self.clock: Clock = SystemClock()
        clock = self.clock
        self._streams_url: str = settings.STREAMS_URL
        self._broker_start_s: float = settings.BROKER_START_S
        self._drain_per_s: int = settings.DRAIN_PER_S
        self._drain_limit_s: float = settings.DRAIN_LIMIT_S
        self.broker: Broker = RedisBroker(self._streams_url, clock) if self._streams_url else MemoryBroker(clock)
        self.sites = SiteNames(own_hosts(settings))
        self.limits = EdgeLimits(
            max_channels=settings.MAX_CHANNELS_PER_SUBSCRIBER,
            keep_alive_s=settings.KEEP_ALIVE_S,
            compresses=settings.WEBSOCKET_COMPRESSION,
        )
        self.activity = ActivityFeed(self.broker, clock)
        self.directory = CachedRealmDirectory(load_snapshot_with_webhooks, clock, load_host=load_host)
        self.statistics = Statistics()
        self.quotas = Quotas(self.broker, self.directory, clock, self.statistics)
        self.usage_store = self._make_usage_store(clock)
        self.site_finder = SiteFinder(self.sites, self.directory, self.quotas.failures)
        self.hub = self._make_hub(clock)
        self.enforcement = Enforcement(self.hub)
        self.activity.on_watch(self.hub.tell_all_connected)
        self.presence = self.hub.local_channels.presence = self._make_presence(clock)
        self.reads = self._make_reads(clock)
        self.door = LoopDoor()
        self.publisher = self.hub.publisher = self._make_publisher(clock)
        self.passing_on = PassingOn(
            settings, hub=self.hub, broker=self.broker, activity=self.happenings, statistics=self.statistics.origins
        )
        self.edge = self._make_edge()
        self.authenticator = Authenticator(self.directory, clock, self.quotas.failures)
        self.feed = self._make_feed()
        self.endpoint = self._make_endpoint(clock, max_body_bytes=settings.PUBLISH_BODY_BYTES)
        self.health = Health(self._probes(settings), clock, self.statistics.process)
        self.ops = self._make_ops(settings)
        self._running: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closing = contextlib.ExitStack()
        self.is_started = False

    def use_xmpp(self, settings: LazySettings) -> None:
        """Have this process be the XMPP gateway, if XMPP is on; before `start`. Others of an installation are not."""
        if settings.XMPP.is_on:
            from fanoutcloud.xmpp_doors import XmppDoors  # so that it costs nothing where it is off

            self.xmpp = XmppDoors(self, settings)

    def _make_hub(self, clock: Clock) -> Hub:
        self.outbox = make_event_outbox(self.broker, clock)
        self.webhook_watch = WebhookWatch(self.outbox, clock, self.statistics.webhooks)
        self.happenings = Happenings(self.activity, self.outbox, self.directory, clock)
        hub = Hub(
            broker=self.broker,
            activity=self.activity,
            limits=self.limits,
            clock=clock,
            ledger=self.quotas.ledger,
            gate=AccessGate(clock, self.directory, self.quotas.failures, refresh_keys=self._refresh_keys),
        )
        hub.happenings = self.happenings
        return hub

    def _make_usage_store(self, clock: Clock) -> UsageStore:
        process = secrets.token_hex(8)
        return UsageStore(
            self.quotas.usage,
            clock,
            add=partial(add_usage_off_loop, process=process),
            say=partial(say_connected_off_loop, process=process),
            settles_s=SETTLES_S if self._streams_url else 0.0,  # without it, this is the only process
        )

    def _make_ops(self, settings: LazySettings) -> OpsEndpoints:
        return OpsEndpoints(
            self.health,
            Metrics(self.statistics, self._gauges),
            token=settings.METRICS_TOKEN,
            trusts_proxies=bool(settings.TRUSTED_PROXIES),
        )

    def _make_edge(self) -> EdgeApp:
        edge = EdgeApp(
            hub=self.hub,
            directory=self.directory,
            failures=self.quotas.failures,
            pacer=self.quotas.pacer,
            elsewhere=self.passing_on.proxy,
            presence=self.presence,
            roll_call=self.roll_call,
            reads=self.reads,
        )
        self._census.give_session = edge.give_session
        return edge

    def _make_presence(self, clock: Clock) -> Presence:
        self.presence_store: PresenceStore = MemoryPresenceStore(clock, self.happenings.keep)
        if isinstance(self.broker, RedisBroker):
            self.presence_store = RedisPresenceStore(self.broker.connection_for, self.happenings.keep)
        presence = Presence(self.hub, self.presence_store, self.broker, self.directory, self.activity)
        keep_open_connections(self.broker, self.hub, self.happenings, presence, self.outbox, self.directory)
        return presence

    def _make_reads(self, clock: Clock) -> AskingReads:
        self._census = census = Census(self.hub)
        self.roll_call = RollCall(self.broker, clock, census.answer)
        census.edge = self.roll_call.edge
        return AskingReads(self.roll_call, self.broker, self.presence_store)

    def _make_feed(self) -> SubscriptionFeed:
        self.hub.local_channels.subscriptions = SubscriptionLog(self.broker, self.directory, self.reads.is_open)
        return SubscriptionFeed(
            authenticator=self.authenticator,
            hub=self.hub,
            broker=self.broker,
            reads=self.reads,
            follow=follow_subscriptions,
        )

    def _make_publisher(self, clock: Clock) -> Publisher:
        self.board = PatternBoard(self.broker, clock)
        self.hub.followers = self.followers = PatternFollowers(self.hub, self.broker, self._confirm)
        return Publisher(
            broker=self.broker,
            activity=self.activity,
            limiter=self.quotas.publish_limiter,
            clock=clock,
            statistics=self.statistics.publish,
            usage=self.quotas.usage,
            board=self.board,
            outbox=self.outbox,
            flight=self.quotas.flight,
        )

    async def _confirm(self, realm: RealmId) -> None:
        """Return when every process has heard what was announced before: it has when it answers a question."""
        await self.reads.channels(realm, limit=1)

    async def _refresh_keys(self, realm: RealmId) -> bool:
        """Have the public keys of a realm fetched that are at a URL; tell whether they are others than before."""
        try:
            has_changed = await fetch_keys_of_realm(realm)
        except DatabaseFailure:
            return False
        if has_changed:
            self.directory.invalidate(realm)
        return has_changed

    def _make_endpoint(self, clock: Clock, *, max_body_bytes: int) -> PublishEndpoint:
        return PublishEndpoint(
            authenticator=self.authenticator,
            publisher=self.publisher,
            activity=self.happenings,
            clock=clock,
            max_body_bytes=max_body_bytes,
            statistics=self.statistics.publish,
            pacer=self.quotas.pacer,
            flight=self.quotas.flight,
        )

    @property
    def flight(self) -> FlightRecorder:
        """What happened here lately."""
        return self.quotas.flight

    async def start(self) -> None:
        """Connect the broker and begin the plane's own work. Idempotent.

        Raises:
            Unavailable: the broker can't be reached, and was waited for.
        """
        async with self._starting:
            if self.is_started:
                return
            await self._start_broker()
            self.broker.listen(CONTROL_TOPIC, self._on_control)
            self.board.listen()
            self._hand_to_apps()
            self.door.open(asyncio.get_running_loop())
            # The plane owns this task: `stop` ends it and waits for it.
            self._running = asyncio.get_running_loop().create_task(self._run())
            if self.xmpp is not None:
                await self.xmpp.start()
            self.is_started = True

    async def _start_broker(self) -> None:
        """Connect; wait for a broker that is away for a while, as when the whole machine has just begun.

        Raises:
            Unavailable: it was not there within `BROKER_START_S`, or this process ends.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._broker_start_s
        for attempt in itertools.count(1):
            try:
                await self.broker.start()
            except Unavailable as error:
                left_s = ends_at - loop.time()
                if left_s <= 0 or self.health.is_draining:
                    raise
                fields = {"why": error.message, "attempt": attempt, "gives_up_in_s": round(left_s)}
                logger.warning("broker_not_there_yet", extra=fields)
                await asyncio.sleep(min(BROKER_RETRY_S, left_s))
            else:
                return

    async def stop(self) -> None:
        """End everything; subscribers are cut off, so `drain` first."""
        self.door.close()
        if self._running is not None:
            if self.xmpp is not None:
                await self.xmpp.stop()
            await self.roll_call.leave()
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
            await self.quotas.give_back()
            await self.usage_store.close()
        await self.passing_on.close()
        await self.directory.aclose()
        await self.broker.close()
        self._closing.close()
        self.is_started = False

    async def drain(self) -> None:
        """Tell every subscriber to reconnect elsewhere, at a pace that spreads their return.

        Ends within `DRAIN_LIMIT_S`: the pace is `DRAIN_PER_S`, or faster where that would not do.
        """
        self.health.begin_draining()
        pace_per_s = max(self._drain_per_s, len(self.hub.subscribers) / self._drain_limit_s)
        step = max(1, math.ceil(pace_per_s * DRAIN_STEP_S))
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._drain_limit_s
        while remaining := self.hub.subscribers:  # those who come on kept-alive connections are told, too
            is_late = loop.time() > ends_at
            for subscriber in list(remaining if is_late else itertools.islice(remaining, step)):
                subscriber.close(CloseReason.DRAINING)
            if is_late or not self.hub.subscribers:
                return
            await asyncio.sleep(DRAIN_STEP_S)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.activity.run())
            tasks.create_task(self.happenings.run())
            tasks.create_task(run_hub(self.hub, self.broker))
            tasks.create_task(self.quotas.run(self.hub))
            tasks.create_task(self.usage_store.run())
            tasks.create_task(self.enforcement.run())
            tasks.create_task(self.health.run())
            tasks.create_task(self.webhook_watch.run())
            tasks.create_task(self.roll_call.run())
            tasks.create_task(self.presence.run())
            tasks.create_task(self.followers.run())
            if self.xmpp is not None:
                tasks.create_task(self.xmpp.run())

    def _probes(self, settings: LazySettings) -> dict[str, Probe]:
        """An edge needs no database to deliver: only processes with pages do."""
        has_pages = settings.ROLE in ("all", "web")
        return {"broker": self.broker.check} | ({"database": ask_database} if has_pages else {})

    def _gauges(self) -> dict[str, tuple[str, float]]:
        parts = self.health.parts.items()
        return {
            "fanout_edge_channels": ("Channels subscribed at the broker", len(self.hub.channels)),
            "fanout_health_ready": ("1 while this process can do its work", float(self.health.is_ready)),
            **self.passing_on.gauges(),
            **{f"fanout_{name}_up": (f"1 while the {name} answers", float(part.is_well)) for name, part in parts},
        }

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
        for host in message.get("hosts", ()):
            self.directory.invalidate_host(HostName(host))
        if message["type"] == "realm_deleted":
            self.hub.close_realm(realm)
            self.quotas.flight.forget(realm)
            self.hub.spawn(self._forget_realm(realm))
        else:
            self.enforcement.realm_changed(realm)
            self.presence.realm_changed(realm)
        if self.xmpp is not None:
            self.xmpp.realm_changed(realm)

    async def _forget_realm(self, realm: RealmId) -> None:
        try:
            await self.broker.forget_realm(realm)
        except Unavailable:
            logger.warning("realm_streams_left", extra={"realm": realm})  # they expire by age
