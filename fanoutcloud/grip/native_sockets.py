"""A client's WebSocket passed on to an origin that speaks WebSocket itself.

Without the `grip` extension in the origin's answer this is a tunnel of messages, pings, pongs and closes; with it, the
origin controls the connection as over HTTP. Between messages a connection has no task.
Source: GRIP: WebSockets, the two backend modes.
"""

import asyncio

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.client_sockets import Handshake, find_handshake
from fanoutcloud.grip.control_messages import Message, find_extension
from fanoutcloud.grip.exchange import Exchange, OriginFailed, OriginRequest, OriginResponse, OriginUpgraded
from fanoutcloud.grip.grip_sockets import GripSocket
from fanoutcloud.grip.header_values import find_all
from fanoutcloud.grip.held_subscribers import Services
from fanoutcloud.grip.origin_sockets import CLOSE_TIMEOUT_S, OriginSocket, accept_of, make_key
from fanoutcloud.grip.rejections import read_rejection
from fanoutcloud.grip.response_holds import answer_failure
from fanoutcloud.outbound.messages import Headers

#: Of the client's handshake: what is ours to say to the origin.
_OURS = frozenset({b"sec-websocket-extensions", b"sec-websocket-key", b"sec-websocket-version"})
_NOT_FOR_CLIENT = frozenset({b"sec-websocket-accept", b"sec-websocket-extensions"})


class NativeSocket:
    """One client. Is the `OriginSide` of its `GripSocket`, and the owner of the origin's socket."""

    def __init__(self, services: Services, exchange: Exchange, handshake: Handshake) -> None:
        self._services = services
        self._exchange = exchange
        self._handshake = handshake
        self._socket = GripSocket(services, exchange, self, handshake)
        self._origin = OriginSocket(self)
        self._is_passing_on = False
        self._is_detached = False

    # -- the handshake

    async def run(self) -> None:
        """Open the WebSocket if the origin wants it; return when it is over, or looks after itself."""
        key = make_key()
        try:
            answer = await self._exchange.upgrade(_make_request(self._exchange.request, key))
            if isinstance(answer, OriginResponse):
                await self._handshake.reject(await read_rejection(self._exchange, answer))
                return
            self._check(answer, key)
        except OriginFailed as failure:
            await self._handshake.reject(answer_failure(self._exchange, failure))
            return
        await self._open(answer)
        await self._handshake.serve()

    def _check(self, answer: OriginUpgraded, key: bytes) -> None:
        """Refuse an answer that no client of WebSockets may accept (RFC 6455 §4.1)."""
        headers = answer.response.headers
        try:
            if find_all(headers, "Sec-WebSocket-Accept") != [accept_of(key).decode()]:
                raise self._exchange.tell_failed(
                    "the answer to the handshake does not fit its key", cause="websocket", field="Sec-WebSocket-Accept"
                )
            extensions = find_all(headers, "Sec-WebSocket-Extensions")
            try:
                self._socket.extension = find_extension(extensions)
            except BadInstruction as error:
                raise self._exchange.tell_failed(error.line, cause=error.code, field=error.field) from error
            if extensions and self._socket.extension is None:
                raise self._exchange.tell_failed(
                    "the origin uses an extension that was not offered",
                    cause="websocket",
                    field="Sec-WebSocket-Extensions",
                )
        except OriginFailed:
            answer.close()
            raise

    async def _open(self, answer: OriginUpgraded) -> None:
        passed = [header for header in answer.response.headers if header[0].lower() not in _NOT_FOR_CLIENT]
        headers: Headers = self._exchange.dress_head(101, passed)
        sink = await self._handshake.accept(self._socket, headers)
        if sink is None:
            self._socket.is_closed = True
            answer.close()
            return
        self._socket.sink = sink
        hub = self._services.hub
        hub.register(self._socket)
        self._is_passing_on = True  # the origin's first words come in their turn
        self._origin.begin(answer.take(self._origin), answer.early)
        hub.tell_connected(self._socket)
        await self._pass_on()

    # -- from the origin

    def on_origin_news(self) -> None:
        if not self._is_passing_on:
            self._is_passing_on = True
            passing_on = self._pass_on()
            try:
                self._services.hub.spawn(passing_on)
            except RuntimeError:  # this process ends
                passing_on.close()

    async def _pass_on(self) -> None:
        """Give the client what the origin has said, at the client's pace."""
        try:
            while (message := self._origin.take()) is not None:
                await self._socket.from_origin(message)
                await self._socket.wait_for_room(self._services.hub.limits.stuck_s)
        finally:
            self._is_passing_on = False
        if self._origin.is_over:
            self._end_client()

    def _end_client(self) -> None:
        content = self._origin.close_content
        if content is not None:
            self._origin.close_as(content)  # the answer to its close
        if self._is_detached:
            return
        if content is not None:
            self._socket.close_as(content)
        else:
            self._socket.drop()
        self._origin.end()

    def on_origin_room(self, *, has_room: bool) -> None:
        if self._socket.is_closed:
            return
        if has_room:
            self._socket.sink.resume()
        else:
            self._socket.sink.pause()

    # -- from the client (OriginSide)

    def on_message(self, message: Message) -> None:
        self._origin.send(message)

    def on_close(self, content: bytes) -> None:
        self._origin.close_as(content)
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._socket.close_as, content)

    def on_vanished(self) -> None:
        self._origin.end()

    def on_ended(self) -> None:
        self._origin.close_as(b"")

    def detach(self) -> None:
        self._is_detached = True
        self._origin.close_as(b"")

    def refresh(self) -> None:
        """Nothing: the origin can speak when it likes."""


def _make_request(opening: OriginRequest, key: bytes) -> OriginRequest:
    """Return the edge's own handshake; `opening` is the client's."""
    passed = [header for header in opening.headers if header[0].lower() not in _OURS]
    headers = [
        *passed,
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", key),
        (b"Sec-WebSocket-Extensions", b"grip"),
    ]
    return OriginRequest(b"GET", opening.target, headers)


async def run_native_socket(services: Services, exchange: Exchange) -> None:
    """Serve one client's WebSocket by a WebSocket to its origin.

    Raises:
        LimitReached: the realm has all that it may have.
    """
    hub = services.hub
    await hub.ledger.admit(exchange.snapshot, [], hub.channels)
    handshake = find_handshake(exchange.scope, exchange.receive, exchange.send, hub.limits)
    await NativeSocket(services, exchange, handshake).run()
