"""Our own server around any ASGI application, on the test's event loop: for limits that are no setting."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.connections.first_request import AcceptAtOnce
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.server import EdgeServer, configure
from fanoutcloud.edge.site.sites import SiteNames
from tests.servers.command import free_port
from tests.servers.listening import PATIENCE_S

HttpApp = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def serve_in_process(
    app: HttpApp,
    *,
    limits: EdgeLimits = EdgeLimits(),  # noqa: B008 - frozen
    accept_at_once: AcceptAtOnce | None = None,
    **options: Any,
) -> AsyncIterator[int]:
    """Serve `app`, which need not know of lifespan; yield the port. `options` are those of `configure`."""

    async def app_with_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    port, ready, thresholds = free_port(), asyncio.Event(), gc.get_threshold()
    config = configure(
        app_with_lifespan,
        host="127.0.0.1",
        port=port,
        sites=SiteNames(OwnHosts("localhost")),
        limits=limits,
        accept_at_once=accept_at_once,
        **options,
    )
    server = EdgeServer(config, on_ready=ready.set)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ready.wait()
        yield port
    finally:
        server.should_exit = True
        async with asyncio.timeout(PATIENCE_S):
            await serving
        gc.set_threshold(*thresholds)  # the server sets its process up for itself
        gc.unfreeze()
