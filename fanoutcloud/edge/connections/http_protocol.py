"""uvicorn's HTTP protocol, taught to hand its connections over: it offers `fanout.sink` and bounds request heads."""

import asyncio
import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, cast

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from fanoutcloud.edge.connections.client_response import DirectResponse
from fanoutcloud.edge.connections.handshake import Handshake, WebSocketOffer, answer_handshake, find_accept
from fanoutcloud.edge.connections.held import EXTENSION, HeldStream, begin_stream, let_go
from fanoutcloud.edge.connections.held_poll import HeldPoll, PollOwner
from fanoutcloud.edge.connections.sinks import Scope, SinkOwner
from fanoutcloud.edge.limits import EdgeLimits
from fanoutcloud.edge.site.sites import SiteNames, decode_path

#: Request line and headers together; beyond it the request is refused with 431.
MAX_HEAD_BYTES = 32_768
#: A connection that has not sent a whole request head by then is closed.
HEAD_TIMEOUT_S = 15.0
_UPGRADE_HEADERS = (b"connection", b"upgrade", b"http2-settings")


def _no_cycle() -> None:
    """Stand for a cycle that is still to come."""


class StreamOffer:
    """`fanout.sink` of an HTTP request: call `hold` instead of starting a response."""

    __slots__ = ("_cycle", "_protocol", "is_chunked")

    def __init__(self, protocol: "EdgeHttpProtocol", *, is_chunked: bool) -> None:
        self._protocol = protocol
        #: Whether a held response takes chunks; else plain content, which ends with the connection (HTTP/1.0).
        self.is_chunked = is_chunked
        self._cycle: Callable[[], RequestResponseCycle | None] = _no_cycle

    @property
    def cycle(self) -> RequestResponseCycle | None:
        """The request's cycle in uvicorn, as long as it lasts."""
        return self._cycle()

    def belong_to(self, cycle: RequestResponseCycle) -> None:
        """Be the offer of this cycle, whose scope holds it: were it held in turn, each request would leave garbage
        that only a collection finds, and thousands of them are a pause for every connection.
        """
        self._cycle = weakref.ref(cycle)

    def hold(
        self, headers: Sequence[tuple[bytes, bytes]], owner: SinkOwner, *, status: bytes = b"200 OK"
    ) -> HeldStream | None:
        """Begin an endless answer and take the connection over; `status` is its code and reason.

        None when the client has gone, or has sent more requests behind this one: answer through ASGI `send` then.
        """
        return self._protocol.hold_stream(self.cycle, headers, owner, status=status, is_chunked=self.is_chunked)

    def respond(self, *, stuck_s: float) -> DirectResponse | None:
        """Return what writes this request's response to its connection; None as above."""
        cycle = self.cycle
        if cycle is None or cycle.response_started or cycle.disconnected:
            return None
        return DirectResponse(cycle, cast(Scope, cycle.scope), stuck_s=stuck_s)

    def hold_poll(self, owner: PollOwner, *, timeout_s: float) -> HeldPoll | None:
        """Hold the request until the owner has an answer or time is up; None as above."""
        return self._protocol.hold_poll(self.cycle, owner, timeout_s=timeout_s)


class EdgeHttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn does it, plus the offer of `fanout.sink`. `sites` and `limits` are set by `configure`."""

    sites: SiteNames
    limits: EdgeLimits
    successor: Callable[[asyncio.Transport, bytes], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._head_bytes = 0
        self._is_head_done = False
        self._is_receiving = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._arm_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)
        self.cycle = self.scope = None  # type: ignore[assignment] # they lead back here: garbage to collect, if kept

    def _arm_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def go_on_with(self, head_timer: asyncio.TimerHandle) -> None:
        """Wait for the head no longer than this timer, which closes the connection and runs already."""
        self._end_head()
        self._is_head_done, self._head_timer = False, head_timer

    def _end_head(self) -> None:
        self._is_head_done = True
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._is_head_done or self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_head()
        elif self._head_timer is None:
            self._arm_head_timer()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.send_400_response("This is no proxy: it makes no tunnels.")
            elif self._should_upgrade():
                self.handle_websocket_upgrade(data[upgrade.args[0] :])
            else:
                self._go_on_without_upgrade(data[upgrade.args[0] :])

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read the request again as if no other protocol had been asked for: nobody has to grant it (RFC 9110 §7.8).

        The parser ends such a request at its head and takes the body for the other protocol; Java's client asks for
        `h2c` with every first request. `rest` is what came behind the head.
        """
        version = self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)]
        head += [b"%b: %b\r\n" % header for header in self.headers if header[0] not in _UPGRADE_HEADERS]
        asked = b",".join(value for name, value in self.headers if name == b"connection").lower()
        head += [b"connection: %b\r\n" % word for word in (b"close", b"keep-alive") if word in asked]
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"".join([*head, b"\r\n", rest]))

    def _refuse_head(self) -> None:
        text = b"The request line and headers are larger than %d bytes.\n" % MAX_HEAD_BYTES
        self._refuse(b"431 Request Header Fields Too Large", text)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, unless the request was refused already."""
        if not self.transport.is_closing():
            super().send_400_response(msg)

    def _refuse(self, status: bytes, text: bytes) -> None:
        """Answer without the application and end the connection."""
        self.transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, len(text), text)
        )
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes, self._is_head_done, self._is_receiving = 0, False, True

    def on_message_complete(self) -> None:
        if self._is_read_again:
            return
        super().on_message_complete()
        self._is_receiving = False

    def on_headers_complete(self) -> None:
        self._end_head()
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse_head()  # a large head may come whole in one read
            raise ValueError("the head is too large")  # ends the parser; goes no further than it
        if self._is_read_again:
            return
        offer = StreamOffer(self, is_chunked=self.parser.get_http_version() != "1.0")
        cast(Scope, self.scope)["extensions"] = {EXTENSION: offer}  # an open mapping in ASGI
        super().on_headers_complete()
        if self.cycle is not None:  # none of a request for a WebSocket
            offer.belong_to(self.cycle)

    @property
    def _is_read_again(self) -> bool:
        """Whether the parser has stopped at a wish for another protocol, which is not granted."""
        return self.parser.should_upgrade() and not self._should_upgrade()

    # -- other processes

    @property
    def is_at_rest(self) -> bool:
        """Whether the connection is between two requests, or before the first."""
        is_answered = self.cycle is None or self.cycle.response_complete
        return is_answered and not self._is_receiving and not self.pipeline and not self.transport.is_closing()

    def let_go(self) -> None:
        """Forget the connection, which another process has got."""
        self._end_head()
        self._unset_keepalive_if_required()
        self.connections.discard(self)
        let_go(self.transport)

    # -- streams

    def hold_stream(
        self,
        cycle: RequestResponseCycle | None,
        headers: Sequence[tuple[bytes, bytes]],
        owner: SinkOwner,
        *,
        status: bytes,
        is_chunked: bool,
    ) -> HeldStream | None:
        """Take the connection out of HTTP for an endless response to the request of `cycle`."""
        if not self._leave_http(cycle):
            return None
        return begin_stream(
            self.transport,
            owner,
            headers,
            defaults=self.server_state.default_headers,
            limits=self.limits,
            connections=self.connections,
            status=status,
            is_chunked=is_chunked,
        )

    def hold_poll(self, cycle: RequestResponseCycle | None, owner: PollOwner, *, timeout_s: float) -> HeldPoll | None:
        """Take the connection out of HTTP until the poll is answered; None if that can't be done."""
        if not self._leave_http(cycle):
            return None
        keeps_alive = cycle is not None and cycle.keep_alive
        return HeldPoll(
            self.transport,
            owner,
            timeout_s=timeout_s,
            connections=self.connections,
            begin_http=self._successor if keeps_alive else None,
        )

    def _leave_http(self, cycle: RequestResponseCycle | None) -> bool:
        """Let go of all that HTTP keeps for the connection, if the request of `cycle` is the only one under way."""
        if cycle is None or cycle is not self.cycle or cycle.disconnected or self.transport.is_closing():
            return False
        cycle.response_started = cycle.response_complete = True  # uvicorn has nothing left to do with it
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self.connections.discard(self)
        self.cycle = self.scope = self.headers = self.parser = None  # type: ignore[assignment] # let them go now
        return True

    @property
    def _successor(self) -> Callable[[asyncio.Transport, bytes], None]:
        """What begins HTTP anew on a connection: one object for all connections of a server."""
        cls = type(self)
        if cls.successor is None:
            cls.successor = functools.partial(begin_http, cls, self.config, self.server_state, self.app_state)
        return cls.successor

    # -- WebSockets

    def handle_websocket_upgrade(self, early: bytes = b"") -> None:
        """Begin the handshake; `early` is what the client has sent behind its request."""
        self._end_head()
        scope = self._find_websocket_scope()
        if scope is None:
            self.send_400_response("This is no address for a WebSocket.")
            return
        if not self.sites.may_be_site(scope):
            super().handle_websocket_upgrade()
            return
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._refuse(b"503 Service Unavailable", b"This server is full; try again.\n")
            return
        accept = find_accept(self.parser.get_method(), self.headers)
        if accept is None:
            self.send_400_response("This is no WebSocket handshake of version 13 (RFC 6455).")
            return
        self.connections.discard(self)
        handshake = Handshake(self.connections)
        handshake.watch(self.transport)
        handshake.data_received(early)
        offer = WebSocketOffer(self.transport, accept, limits=self.limits, handshake=handshake)
        scope["extensions"] = {EXTENSION: offer}
        task = self.loop.create_task(answer_handshake(self.app, scope, self.transport, handshake))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _find_websocket_scope(self) -> Scope | None:
        """Return the scope, or None when the request's URL can't be read."""
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            return None
        raw_path = url.path or b"/"  # an absolute URL may come without
        return {
            **self.scope,
            "type": "websocket",
            "scheme": "wss" if self.scheme == "https" else "ws",
            "path": decode_path(raw_path),
            "raw_path": raw_path,
            "query_string": url.query or b"",
            "subprotocols": [],
        }


def begin_http(
    protocol_class: type[EdgeHttpProtocol],
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    transport: asyncio.Transport,
    early: bytes,
    *,
    head_timer: asyncio.TimerHandle | None = None,
) -> None:
    """Put a connection into HTTP, or back: `early` is what has come already, `head_timer` waits for the rest."""
    protocol = protocol_class(config=config, server_state=server_state, app_state=app_state)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if head_timer is not None:
        protocol.go_on_with(head_timer)
    if transport.get_write_buffer_size() > HIGH_WATER_LIMIT:
        protocol.pause_writing()  # the transport told this to whoever had it before, and says it only once
    if early:
        protocol.data_received(early)
