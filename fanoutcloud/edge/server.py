"""uvicorn's server as edges run it: configured for many held connections, and drained before it ends.

uvicorn keeps doing HTTP parsing, TLS, limits and shutdown. What is ours on a connection is in `edge.connections`.
"""

import asyncio
import contextlib
import functools
import gc
import logging
import resource
import socket
import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from fanoutcloud.edge.connections.first_request import AcceptAtOnce, TrustedProxies, first_request
from fanoutcloud.edge.connections.http_protocol import EdgeHttpProtocol, begin_http
from fanoutcloud.edge.connections.sinks import AsgiApp
from fanoutcloud.edge.connections.whole_requests import FindAnswerer
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.site.sites import SiteNames
from fanoutcloud.edge.takeover.succession import Succession

logger = logging.getLogger(__name__)

#: Of the process's file descriptors, kept for everything but clients: databases, Redis, files.
SPARE_DESCRIPTORS = 200
MAX_DESCRIPTORS = 1_048_576


class EdgeServer(uvicorn.Server):
    """uvicorn's server; drains the application before it goes down, and says when it is ready.

    With a `succession` it listens on the sockets that this finds, and may be replaced by another process.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_ready: Callable[[], None] = lambda: None,
        drain: Callable[[], Awaitable[None]] | None = None,
        succession: Succession | None = None,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._drain = drain
        self._succession = succession
        self._listeners: list[socket.socket] = []
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say first of all that this process ends: `/readyz` must know before the port closes."""
        self._on_exit()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: Any = None) -> None:  # Any: as in uvicorn
        await super().startup(sockets=sockets if self._succession is None else [])
        if not self.started or self.should_exit:
            return
        if self._succession is not None:
            self._listeners = await self._find_listeners(self._succession)
            await self.listen_again()
        gc.freeze()  # what start-up made stays, there is hardly garbage in it; looking for some costs connects
        gc.set_threshold(50_000, 50, 100)
        self._on_ready()

    async def _find_listeners(self, succession: Succession) -> list[socket.socket]:
        try:
            return await succession.find_listeners()
        except OSError as error:
            logger.error("port_refused", extra={"port": self.config.port, "why": str(error)})
            await self.lifespan.shutdown()
            sys.exit(STARTUP_FAILURE)

    async def main_loop(self) -> None:
        if self._succession is None:
            await super().main_loop()
            return
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self._run_succession(self._succession))
            await super().main_loop()
            await self._succession.stop(running)

    async def _run_succession(self, succession: Succession) -> None:
        try:
            await succession.run(self)
        except Exception:  # deploys without notice are lost by this, subscribers are not
            logger.exception("succession_failed")

    async def shutdown(self, sockets: Any = None) -> None:  # Any: as in uvicorn
        if self.servers:
            await self._accept_those_who_wait()
        self.stop_listening()
        for listener in self._listeners:
            listener.close()  # at once: the kernel would go on giving it callers, whom nobody answers
        if self._drain is not None:
            await self._drain()
        await super().shutdown(sockets=sockets)

    async def _accept_those_who_wait(self) -> None:
        """Take those from the kernel's queue who have called already: closing the socket would reset them."""
        for listener in self._listeners:
            listener.settimeout(0)
            with contextlib.suppress(OSError):  # BlockingIOError when nobody is left
                for _ in range(self.config.backlog):
                    caller, _ = listener.accept()
                    caller.settimeout(0)
                    await asyncio.get_running_loop().connect_accepted_socket(self._new_protocol, caller)

    # -- what a succession needs

    @property
    def connections(self) -> set[Any]:  # Any: uvicorn's own protocol classes and ours
        """The open connections."""
        return self.server_state.connections

    @property
    def begin_http(self) -> Callable[[asyncio.Transport, bytes], None]:
        """What begins HTTP on a connection, with bytes that have come already; a `FirstRequest` is begun alike."""
        protocol = cast(type[EdgeHttpProtocol], self.config.http_protocol_class)
        return functools.partial(begin_http, protocol, self.config, self.server_state, self.lifespan.state)

    def listening_descriptors(self) -> list[int]:
        return [listener.fileno() for listener in self._listeners]

    def stop_listening(self) -> None:
        """Accept no more; the sockets stay, so that nobody is refused who has called already."""
        for server in self.servers:
            server.close()
        self.servers = []

    async def listen_again(self) -> None:
        """Accept on the sockets, unless that is done already."""
        if self.servers:
            return
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            own, config = listener.dup(), self.config  # closing a server closes the socket that it was given
            self.servers.append(await loop.create_server(self._new_protocol, sock=own, backlog=config.backlog))

    def _new_protocol(self) -> asyncio.Protocol:
        make = cast(type[EdgeHttpProtocol], self.config.http_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _raise_descriptor_limit() -> int:
    """Allow this process as many open files as the system lets it have, and return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def configure(
    app: AsgiApp,
    *,
    host: str,
    port: int,
    sites: SiteNames,
    limits: EdgeLimits,
    accept_at_once: AcceptAtOnce | None = None,
    find_answerer: FindAnswerer | None = None,
    **options: Any,
) -> uvicorn.Config:
    """Return the configuration of a server that offers prepared sinks; `options` go to uvicorn as they are.

    With `accept_at_once`, this is asked in the place of `app` for each connection's first request, and `find_answerer`
    for POSTs on connections that begin with one; see `first_request`.
    """
    protocol = type("ConfiguredEdgeHttpProtocol", (EdgeHttpProtocol,), {"sites": sites, "limits": limits})
    first = None if accept_at_once is None else first_request(protocol, limits, accept_at_once, find_answerer)
    config = uvicorn.Config(
        cast(Any, app),  # uvicorn's own, stricter types for the same protocol
        host=host,
        port=port,
        http=first or protocol,
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
    if first is not None:
        first.reads_at_once = not config.is_ssl
    if first is not None and config.proxy_headers:
        first.trusted = TrustedProxies(config.forwarded_allow_ips)
    return config
