"""A connection up to its first request: straight to a held one where nothing must be waited for, else into HTTP.

Most connections of an edge ask for one thing, to be held, and the answer is known at once. So neither uvicorn's request
cycle nor a task nor an ASGI call is made for them; the application is asked as a plain function, on the same parts
that it serves ASGI with. Connections that publish go on as `WholeRequests`. Whatever is not answered in one of these
ways begins anew as HTTP. Source: docs/topics/fan-out.md.
"""

import asyncio
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.utils import get_remote_addr
from uvicorn.server import ServerState

from fanoutcloud.edge.connections.handshake import WebSocketOffer, find_accept
from fanoutcloud.edge.connections.held import EXTENSION, HeldStream, begin_stream, let_go
from fanoutcloud.edge.connections.http_protocol import HEAD_TIMEOUT_S, MAX_HEAD_BYTES, EdgeHttpProtocol, begin_http
from fanoutcloud.edge.connections.request_head import read_request_head
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send, SinkOwner
from fanoutcloud.edge.connections.whole_requests import Answerer, FindAnswerer, WholeRequests
from fanoutcloud.edge.limits import EdgeLimits

#: Holds the request of a scope and returns True, or does nothing.
AcceptAtOnce = Callable[[Scope], bool]
#: Paths of subscribers have this in them; the request line of any other request is not read twice.
_OWN = b"/fanout/"
_END = b"\r\n\r\n"
_POST = b"POST "
#: Bytes that are read when a connection is accepted: the whole of nearly all requests. What is longer goes on as HTTP.
_READ_AT_ONCE = 4096
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


class FirstRequest(asyncio.Protocol):
    """Made by the server for each connection; the class attributes are set by `configure`.

    Under load the request has come by the time its connection is accepted. So it is read then, before the transport
    begins to read: a connection that is held at once needs no timer, no wake-up for its request, and no change of the
    protocol of a transport that reads already, which costs two system calls.
    """

    __slots__ = ("_app_state", "_config", "_early", "_server_state", "_timer", "connections", "transport")

    http: type[EdgeHttpProtocol]
    limits: EdgeLimits
    accept_at_once: AcceptAtOnce
    find_answerer: FindAnswerer | None = None
    trusted: "TrustedProxies | None" = None
    #: Whether the socket carries the request itself: with TLS, only the transport can read it.
    reads_at_once = True
    #: What the client has sent behind its request: nothing, as in `Handshake`.
    early = b""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self.connections: set[Any] = server_state.connections
        self.transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        #: What was read when the connection was accepted, until others get it in the next turn of the loop.
        self._early = b""

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        self.transport = transport
        self.connections.add(self)
        data = self._read_at_once()
        try:
            if data and self._is_held(data):
                return
        except Exception:
            transport.abort()  # it does not read yet, and never would
            raise
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEAD_TIMEOUT_S, transport.close)
        if data:
            self._early = data
            loop.call_soon(self._go_on)  # the transport reads by then: who gets it may want to pause that

    def _read_at_once(self) -> bytes:
        """Return what the client has sent already; nothing, too, where the end or a fault is to be found later."""
        if not self.reads_at_once:
            return b""
        try:
            return os.read(self.transport.get_extra_info("socket").fileno(), _READ_AT_ONCE)
        except OSError:  # BlockingIOError: nothing has come yet
            return b""

    def _go_on(self) -> None:
        early, self._early = self._early, b""
        if early and not self.transport.is_closing():
            self._leave_to_others(early)

    def data_received(self, data: bytes) -> None:
        data, self._early = self._early + data, b""
        if self._is_held(data):
            self._stop_timer()
        else:
            self._leave_to_others(data)

    def eof_received(self) -> bool | None:
        """Have the end told behind what was read before it."""
        self._go_on()
        protocol = cast(asyncio.Protocol, self.transport.get_protocol())
        return None if protocol is self else protocol.eof_received()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _leave_to_others(self, data: bytes) -> None:
        """Go on as `WholeRequests` or as HTTP."""
        self.connections.discard(self)
        if self.find_answerer is not None and data.startswith(_POST) and _END in data:
            self._stop_timer()
            self._begin_whole().data_received(data)
            return
        begin_http(
            self.http, self._config, self._server_state, self._app_state, self.transport, data, head_timer=self._timer
        )

    def _begin_whole(self) -> WholeRequests:
        return WholeRequests(
            self.transport,
            self._server_state,
            find=self._find_answerer,
            begin_http=functools.partial(begin_http, self.http, self._config, self._server_state, self._app_state),
            is_full=self._is_full,
            keep_alive_s=self._config.timeout_keep_alive,
        )

    def _find_answerer(self, scope: Scope) -> Answerer | None:
        find = type(self).find_answerer
        self._tell_client(scope)
        return None if find is None else find(scope)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._early = b""
        self.connections.discard(self)

    def shutdown(self) -> None:
        """Be ended by the server, which goes down now."""
        self.transport.close()

    # -- other processes

    @property
    def is_at_rest(self) -> bool:
        """Whether the connection could go on in another process: nothing has come yet."""
        return not self._early and not self.transport.is_closing()

    def let_go(self) -> None:
        """Forget the connection, which another process has got."""
        self._stop_timer()
        self.connections.discard(self)
        let_go(self.transport)

    # -- requests that are answered at once

    def _is_held(self, data: bytes) -> bool:
        """Hold the connection if the bytes are a request that can be answered now; else do nothing."""
        if len(data) > MAX_HEAD_BYTES or not data.endswith(_END) or _OWN not in data or self._is_full():
            return False
        read = read_request_head(data)
        if read is None:
            return False
        head, is_websocket = read
        scope: Scope | None = head.scope("websocket" if is_websocket else "http")
        if scope is None:
            return False
        if is_websocket:
            accept = find_accept(b"GET", head.headers)
            if accept is None:
                return False
            scope["extensions"] = {
                EXTENSION: WebSocketOffer(self.transport, accept, limits=self.limits, handshake=self)
            }
        else:
            scope["extensions"] = {EXTENSION: self}
        self._tell_client(scope)
        return type(self).accept_at_once(scope)

    def _tell_client(self, scope: Scope) -> None:
        scope["client"] = _find_client(self.transport)
        if self.trusted is not None:
            self.trusted.tell_client(scope)

    def _is_full(self) -> bool:
        """Whether uvicorn would refuse the request, which is left to it."""
        limit = self._config.limit_concurrency
        return limit is not None and len(self.connections) >= limit

    def hold(self, headers: Sequence[tuple[bytes, bytes]], owner: SinkOwner, *, first: bytes = b"") -> HeldStream:
        """Begin an endless answer and take the connection over: `fanout.sink` of a request that is answered at once.

        `first` are bytes of the answer that go out with its head.
        """
        self.connections.discard(self)
        return begin_stream(
            self.transport,
            owner,
            headers,
            defaults=self._server_state.default_headers,
            limits=self.limits,
            connections=self.connections,
            first=first,
        )


def _find_client(transport: asyncio.Transport) -> tuple[str, int] | None:
    """Return what uvicorn does, without asking the kernel for what the transport has asked already."""
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple) and (len(peer) == 2 or peer[3:] == (0,)):  # IPv6 without a zone, which is spelled apart
        return str(peer[0]), int(peer[1])
    return get_remote_addr(transport)


def first_request(
    http: type[EdgeHttpProtocol],
    limits: EdgeLimits,
    accept_at_once: AcceptAtOnce,
    find_answerer: FindAnswerer | None = None,
) -> type[FirstRequest]:
    """Return the class of a server's connections; `http` is what those become that are not held at once."""

    class Configured(FirstRequest):
        __slots__ = ()

    Configured.http, Configured.limits = http, limits
    Configured.accept_at_once = staticmethod(accept_at_once)
    Configured.find_answerer = None if find_answerer is None else staticmethod(find_answerer)
    return Configured


class TrustedProxies:
    """Tells who the client is behind proxies, exactly as uvicorn does for requests that go through it."""

    def __init__(self, trusted: list[str] | str) -> None:
        self._middleware: Any = ProxyHeadersMiddleware(cast(Any, _nothing), trusted)  # uvicorn's own, stricter types

    def tell_client(self, scope: Scope) -> None:
        """Set `client` and `scheme` of the scope to what a trusted proxy says."""
        for name, _ in scope["headers"]:
            if name in _FORWARDED:
                break
        else:
            return
        telling = self._middleware(scope, None, None)
        try:
            telling.send(None)
        except StopIteration:  # it has nothing to wait for
            return
        telling.close()


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Be the application behind the middleware."""
