"""Our own server around any ASGI application, on the test's event loop: for limits that are no setting."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.server import EdgeServer, configure
from fanoutcloud.edge.sites import SiteNames
from tests.servers.listening import PATIENCE_S
from tests.servers.redis import free_port

HttpApp = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def serve_in_process(app: HttpApp) -> AsyncIterator[int]:
    """Serve `app`, which need not know of lifespan; yield the port."""

    async def app_with_lifespan(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    port, ready, thresholds = free_port(), asyncio.Event(), gc.get_threshold()
    config = configure(
        app_with_lifespan, host="127.0.0.1", port=port, sites=SiteNames("localhost"), limits=EdgeLimits()
    )
    server = EdgeServer(config, on_ready=ready.set)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve())
            async with asyncio.timeout(PATIENCE_S):
                await ready.wait()
            yield port
            server.should_exit = True
    finally:
        gc.set_threshold(*thresholds)  # the server sets its process up for itself
        gc.unfreeze()
