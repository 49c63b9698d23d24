"""A realm's site on our own server, in this process, in front of an origin that does what a test tells it."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from uvicorn.server import ServerState

from fanoutcloud.core.activity import PassedOn
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmKey, RealmSnapshot, Retention
from fanoutcloud.core.domains import Domain, Origin
from fanoutcloud.core.statistics import OriginStatistics
from fanoutcloud.edge.app import EdgeApp
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.server import configure
from fanoutcloud.edge.site.sites import Site
from fanoutcloud.grip.holds import GripHolds
from fanoutcloud.grip.origins import OriginGateway
from fanoutcloud.grip.proxy import Proxy
from fanoutcloud.grip.signature import Signer
from fanoutcloud.outbound.client import OutboundClient, Patience
from fanoutcloud.outbound.connecting import ConnectLimits, Connector, make_tls_context
from fanoutcloud.outbound.gate import GateRules
from tests.edge.worlds import REALM, EdgeWorld
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory
from tests.outbound.worlds import LOOPBACK, FakeResolver
from tests.servers.origin import Origin as Server
from tests.servers.origin import Script, origin_server

PATIENCE_S = 15.0
KEY = RealmKey(key_id="1", secret=b"k" * 32)
VIA = b"1.1 fanoutcloud-test"


def origin_of(server: Server) -> Origin:
    return Origin("127.0.0.1", server.port)


class ProxyWorld:
    """One edge with one realm, whose domain and way of being named a test may change."""

    def __init__(self, port: int, edge: EdgeWorld, directory: FakeDirectory) -> None:
        self.port = port
        self.edge = edge
        self.directory = directory
        self.domain = Domain()
        self.is_by_path = False
        #: Whether the edge has nothing but ASGI to serve with.
        self.is_plain = False
        self.http: httpx.AsyncClient
        #: Clients' connections, as a server that ends has them.
        self.connections: set[Any] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, **members: Any) -> None:
        """Change the domain."""
        self.domain = dataclasses.replace(self.domain, **members)
        self.directory.replace(snapshot_of(self.domain))

    def site(self, path: str) -> Site:
        if self.is_by_path:
            return Site(REALM, path.removeprefix(f"/r/{REALM}"), is_by_path=True)
        return Site(REALM, path)

    async def talk(self, request: bytes) -> bytes:
        """Send raw bytes; return all that comes until the edge closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE_S):
                return await reader.read()
        finally:
            writer.close()

    def events(self) -> list[Any]:
        """Return what the owner was told, less what went well with origins."""
        return [event for _, event in self.edge.activity.events if not isinstance(event, PassedOn)]

    def passed_on(self) -> list[PassedOn]:
        """Return what the owner was told of answers."""
        return [event for _, event in self.edge.activity.events if isinstance(event, PassedOn)]


def snapshot_of(domain: Domain) -> RealmSnapshot:
    return RealmSnapshot(realm=REALM, keys=(KEY,), retention=Retention(), domains=(domain,))


@asynccontextmanager
async def proxying(
    *,
    rules: GateRules = GateRules(permits_private_names=True),  # noqa: B008 - frozen
    patience: Patience = Patience(head_s=5.0, idle_s=5.0),  # noqa: B008
    resolver: FakeResolver | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[ProxyWorld]:
    """Serve the site of a domain without origins, which a test then sets."""
    connector = Connector(
        LOOPBACK, resolver or FakeResolver(), tls=make_tls_context(), limits=ConnectLimits(connect_s=2.0, tls_s=2.0)
    )
    client = OutboundClient(connector, patience=patience)
    directory = FakeDirectory(snapshot_of(Domain()))
    async with EdgeWorld().running() as edge:
        gateway = OriginGateway(
            client,
            rules=rules,
            signer=Signer(clock or SteppedClock()),
            activity=edge.activity,
            clock=clock or edge.clock,
            statistics=OriginStatistics(),
        )
        holds = GripHolds(edge.hub, edge.broker)
        app = EdgeApp(hub=edge.hub, directory=directory, elsewhere=Proxy(gateway, holds, via=VIA))

        async def serve(scope: Any, receive: Any, send: Any) -> None:
            if world.is_plain:
                scope["extensions"] = {}
            await app.serve(world.site(scope["path"]), scope, receive, send)

        async with _listening(serve) as (port, connections):
            world = ProxyWorld(port, edge, directory)
            world.connections = connections
            client_settings: Any = {"trust_env": False, "verify": False, "timeout": PATIENCE_S}
            async with httpx.AsyncClient(base_url=world.url, **client_settings) as world.http:
                yield world
        client.close()
    assert client.pool.lent_count == 0, "a connection was kept for nobody"


class _EverySite:
    """Takes every request for one to a site, so that all WebSockets are prepared."""

    def may_be_site(self, scope: Any) -> bool:
        return True


@asynccontextmanager
async def _listening(app: Any) -> AsyncIterator[tuple[int, set[Any]]]:
    """Have our own HTTP protocol serve `app`, without what else there is to a server; yield port and connections."""
    sites: Any = _EverySite()
    config = configure(app, host="127.0.0.1", port=0, sites=sites, limits=EdgeLimits(), proxy_headers=False)
    config.load()
    state = ServerState()
    make: Any = config.http_protocol_class
    server = await asyncio.get_running_loop().create_server(
        lambda: make(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1], state.connections
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        if state.tasks:
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.wait(state.tasks)


@asynccontextmanager
async def passing_to(script: Script, **options: Any) -> AsyncIterator[tuple[ProxyWorld, Server]]:
    """The same, in front of one origin."""
    async with origin_server(script) as server, proxying(**options) as world:
        world.set(origins=(origin_of(server),))
        yield world, server
