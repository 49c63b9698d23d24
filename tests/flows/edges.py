"""Realms' sites alone on our own server, on the test's event loop, so that a test can look into the hub."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.app import EdgeApp
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.hub.housekeeping import run_hub
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.site.sites import SiteNames
from tests.fakes.activity import RecordingActivity
from tests.fakes.directory import FakeDirectory
from tests.servers.in_process import serve_in_process

REALM = RealmId("0a1b2c3d")
_KEEP = Retention(items=1000, age_s=300.0)


@dataclass(frozen=True, slots=True)
class RunningEdge:
    """One edge and what is inside."""

    port: int
    hub: Hub
    broker: MemoryBroker
    #: Paths of requests that went through ASGI; the others were held at once.
    asgi_paths: list[str] = field(default_factory=list)

    async def publish(self, channel: str, *texts: str) -> None:
        """Publish JSON texts."""
        items = [Item(channel=ChannelName(channel), json_object=text.encode()) for text in texts]
        await self.broker.publish(REALM, items, retention=_KEEP)


@asynccontextmanager
async def running_edge(limits: EdgeLimits, **options: Any) -> AsyncIterator[RunningEdge]:
    """Serve the site of `REALM`; `options` are those of the server."""
    clock, activity, sites = SystemClock(), RecordingActivity(), SiteNames(OwnHosts("localhost"))
    broker = MemoryBroker(clock)
    hub = Hub(broker=broker, activity=activity, limits=limits, clock=clock)
    directory = FakeDirectory(RealmSnapshot(REALM, keys=(), retention=_KEEP))
    edge = EdgeApp(hub=hub, directory=directory)
    asgi_paths: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        site = sites.find(scope)
        assert site is not None, scope["path"]
        asgi_paths.append(scope["path"])
        await edge.serve(site, scope, receive, send)

    def accept_at_once(scope: Scope) -> bool:
        site = sites.find(scope)
        return site is not None and edge.accept_at_once(site, scope)

    chores = asyncio.create_task(run_hub(hub, broker))
    try:
        async with serve_in_process(app, limits=limits, accept_at_once=accept_at_once, **options) as port:
            yield RunningEdge(port, hub, broker, asgi_paths)
            for subscriber in list(hub.subscribers):
                subscriber.close(CloseReason.DRAINING)
    finally:
        chores.cancel()
        await asyncio.wait([chores])
        await broker.close()
