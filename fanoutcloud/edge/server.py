"""uvicorn's server as edges run it: configured for many held connections, and drained before it ends.

uvicorn keeps doing HTTP parsing, TLS, limits and shutdown. What is ours on a connection is in `edge.http_protocol`.
"""

import gc
import resource
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvicorn

from fanoutcloud.edge.http_protocol import EdgeHttpProtocol
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.sinks import AsgiApp
from fanoutcloud.edge.sites import SiteNames

#: Of the process's file descriptors, kept for everything but clients: databases, Redis, files.
SPARE_DESCRIPTORS = 200
MAX_DESCRIPTORS = 1_048_576


class EdgeServer(uvicorn.Server):
    """uvicorn's server; drains the application before it goes down, and says when it is ready."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None] = lambda: None,
        drain: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._drain = drain

    async def startup(self, sockets: Any = None) -> None:  # Any: as in uvicorn
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            gc.collect()
            gc.freeze()  # what start-up made stays; collecting it again and again costs connects
            gc.set_threshold(50_000, 50, 100)
            self._on_ready()

    async def shutdown(self, sockets: Any = None) -> None:  # Any: as in uvicorn
        for server in self.servers:
            server.close()
        if self._drain is not None:
            await self._drain()
        await super().shutdown(sockets=sockets)


def _raise_descriptor_limit() -> int:
    """Allow this process as many open files as the system lets it have, and return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def configure(
    app: AsgiApp, *, host: str, port: int, sites: SiteNames, limits: EdgeLimits, **options: Any
) -> uvicorn.Config:
    """Return the configuration of a server that offers prepared sinks; `options` go to uvicorn as they are."""
    protocol = type("ConfiguredEdgeHttpProtocol", (EdgeHttpProtocol,), {"sites": sites, "limits": limits})
    return uvicorn.Config(
        cast(Any, app),  # uvicorn's own, stricter types for the same protocol
        host=host,
        port=port,
        http=protocol,
        ws="websockets-sansio",
        ws_max_size=limits.max_message_bytes,
        loop="uvloop",
        lifespan="on",
        backlog=4096,
        access_log=False,
        server_header=False,
        log_config=None,
        limit_concurrency=_raise_descriptor_limit() - SPARE_DESCRIPTORS,
        timeout_graceful_shutdown=5,
        **options,
    )
