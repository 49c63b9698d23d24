"""WebSocket-over-HTTP: a client's WebSocket as requests to its origin, one at a time.

Between requests a connection has no task: what the client says, and time, begin the next one.
Source: GRIP: WebSocket-over-HTTP; docs/topics/grip.md.
"""

import asyncio
import contextlib
import random
import uuid

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.grip import ws_over_http as events
from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.client_sockets import Handshake, find_handshake
from fanoutcloud.grip.control_messages import Message, MessageType, find_extension
from fanoutcloud.grip.exchange import Exchange, OriginFailed, OriginRequest, OriginResponse
from fanoutcloud.grip.grip_sockets import GripSocket
from fanoutcloud.grip.header_values import find_all
from fanoutcloud.grip.held_subscribers import Services
from fanoutcloud.grip.rejections import read_rejection
from fanoutcloud.grip.response_holds import answer_failure
from fanoutcloud.grip.socket_requests import (
    MAX_EVENTS_BYTES,
    SocketMeta,
    headers_for_client,
    is_events,
    make_request,
    read_accepted,
    read_interval,
)
from fanoutcloud.grip.waiting_events import WaitingEvents
from fanoutcloud.grip.ws_over_http import BadEvents, Event, decode_events, encode_events
from fanoutcloud.outbound.errors import AnswerTooLarge, ExchangeFailed

RETRY_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0)
#: Causes of failures that show that the origin can't have seen the request.
_NOT_REACHED = frozenset({"blocked", "dns", "connect_refused", "connect_timeout", "tls", "egress", "busy"})
_KINDS: dict[str, MessageType] = {
    events.TEXT: "text",
    events.BINARY: "binary",
    events.PING: "ping",
    events.PONG: "pong",
}
_TYPES = {kind: type_ for type_, kind in _KINDS.items()}


class SocketOverHttp:
    """One client. Is the `OriginSide` of its `GripSocket`."""

    def __init__(self, services: Services, exchange: Exchange, handshake: Handshake) -> None:
        self._services = services
        self._exchange = exchange
        self._handshake = handshake
        self._connection_id = str(uuid.uuid4())
        self._meta = SocketMeta()
        self._socket = GripSocket(services, exchange, self, handshake)
        self._waiting = WaitingEvents()
        self._interval_s = 0
        self._interval_token = 0
        self._is_asking = False
        self._wants_request = False
        self._awaits_close = False
        self._is_paused = False
        #: The next request is the last one: it tells the origin that this is over for it.
        self._is_ending = False
        self._is_over = False

    # -- the handshake

    async def run(self) -> None:
        """Open the WebSocket if the origin wants it; return when it is over, or looks after itself."""
        try:
            response = await self._ask_to_open()
        except OriginFailed as failure:
            await self._handshake.reject(answer_failure(self._exchange, failure))
            return
        if response is not None:
            await self._open(*response)
            await self._handshake.serve()

    async def _ask_to_open(self) -> tuple[OriginResponse, list[Event]] | None:
        """Return the origin's consent; None if it refused, and the client knows."""
        while True:
            response = await self._post(encode_events([Event(events.OPEN)]))
            if not is_events(response):
                await self._handshake.reject(await read_rejection(self._exchange, response))
                return None
            told = await self._read_events(response)
            self._meta.update(response.headers)
            interval_s = read_interval(response.headers)
            if told and told[0].type == events.OPEN:
                return response, told[1:]
            if told or not interval_s:
                raise self._exchange.tell_failed("the answer to OPEN does not begin with OPEN", cause="websocket")
            await asyncio.sleep(interval_s)

    async def _open(self, response: OriginResponse, told: list[Event]) -> None:
        socket = self._socket
        try:
            socket.extension = find_extension(find_all(response.headers, "Sec-WebSocket-Extensions"))
        except BadInstruction as error:
            failure = self._exchange.tell_failed(error.line, cause=error.code, field=error.field)
            await self._handshake.reject(answer_failure(self._exchange, failure))
            return
        hub = self._services.hub
        headers = self._exchange.dress_head(101, headers_for_client(response.headers))
        sink = await self._handshake.accept(socket, headers)
        if sink is None:
            socket.is_closed = True
            self._is_asking = True
            self.on_vanished()
            await self._send_all()
            return
        socket.sink = sink
        hub.register(socket)
        self._is_asking = True  # what the client says meanwhile waits for what the origin has said
        self._note_interval(response)
        await self._obey(told)
        hub.tell_connected(socket)
        await self._send_all()

    # -- requests

    def _kick(self) -> None:
        """Begin the next request, unless one is under way."""
        if not self._is_asking and not self._is_over:
            self._is_asking = True
            with contextlib.suppress(RuntimeError):  # this process ends
                self._services.hub.spawn(self._send_all())

    async def _send_all(self) -> None:
        """Send what waits, request by request, until nothing does."""
        while not self._is_over and (self._waiting.has_news or self._wants_request):
            self._wants_request = False
            try:
                await self._send_batch()
            except (OriginFailed, FanoutError):
                self._give_up()
            if not self._socket.is_closed:
                await self._socket.wait_for_room(self._services.hub.limits.stuck_s)
        self._is_asking = False
        self._arm_interval()

    async def _send_batch(self) -> None:
        is_last = self._is_ending
        batch = self._waiting.take_batch()
        response = await self._post_patiently(encode_events(batch), self._waiting.replayed_bytes)
        if self._is_ending:  # whatever it says, there is nobody to tell
            response.body.close()
            self._is_over = is_last
            return
        if not is_events(response):
            response.body.close()
            raise self._exchange.tell_failed(
                f"events were answered {response.status} without events", cause="websocket", field="Content-Type"
            )
        told = await self._read_events(response)
        try:
            self._waiting.accept(read_accepted(response.headers))
        except BadEvents as error:
            raise self._exchange.tell_failed(error.line, cause=error.code, field="Content-Bytes-Accepted") from None
        self._read_on()
        self._meta.update(response.headers)
        self._note_interval(response)
        await self._obey(told)
        if self._awaits_close and not self._waiting.has_news and not self._interval_s and not self._is_ending:
            self._give_up()

    async def _post_patiently(self, body: bytes, replayed: int) -> OriginResponse:
        """Send the request until the origin can have seen it. Raises `OriginFailed`."""
        for delay_s in RETRY_DELAYS_S:
            try:
                return await self._post(body, replayed)
            except OriginFailed as failure:
                if failure.cause not in _NOT_REACHED:
                    raise
            await asyncio.sleep(delay_s + random.random())  # noqa: S311 - spreads load
        return await self._post(body, replayed)

    async def _post(self, body: bytes, replayed: int = 0) -> OriginResponse:
        request: OriginRequest = make_request(
            self._exchange.request, self._connection_id, self._meta, body, replayed_bytes=replayed
        )
        return await self._exchange.post(request)

    async def _read_events(self, response: OriginResponse) -> list[Event]:
        try:
            return decode_events(await response.collect(MAX_EVENTS_BYTES))
        except AnswerTooLarge:
            message, cause = f"events are answered with more than {MAX_EVENTS_BYTES:,} bytes", "too_large"
        except ExchangeFailed as failure:
            message, cause = str(failure), "broken_answer"
        except BadEvents as error:
            message, cause = error.line, error.code
        raise self._exchange.tell_failed(message, cause=cause)

    async def _obey(self, told: list[Event]) -> None:
        """Do what the origin's events say."""
        for event in told:
            if self._socket.is_closed or self._is_ending:
                return
            if event.type in _KINDS:
                await self._socket.from_origin(Message(_KINDS[event.type], event.content))
            elif event.type == events.CLOSE:
                self._is_over = True
                self._socket.close_as(event.content)
            else:  # it does not know the connection, or mixes it up
                self._give_up()

    def _give_up(self) -> None:
        self._is_over = True
        self._waiting.clear()
        self._socket.drop()

    # -- keep-alive

    def _note_interval(self, response: OriginResponse) -> None:
        interval_s = read_interval(response.headers)
        if interval_s is not None:
            self._interval_s = interval_s

    def _arm_interval(self) -> None:
        self._interval_token += 1
        if self._interval_s and not self._is_over and not self._is_ending:
            token = self._interval_token
            self._services.wheel.put(self._interval_s, lambda: self._on_interval(token))

    def _on_interval(self, token: int) -> None:
        if token == self._interval_token:
            self.refresh()

    # -- what the client says (OriginSide)

    def on_message(self, message: Message) -> None:
        self._add(Event(_TYPES[message.type], message.content))
        if self._waiting.is_full and not self._is_paused:
            self._is_paused = True
            self._socket.sink.pause()

    def _read_on(self) -> None:
        if self._is_paused and not self._waiting.is_full:
            self._is_paused = False
            self._socket.sink.resume()

    def _add(self, event: Event) -> None:
        if not self._is_over:
            self._waiting.add(event)
            self._kick()

    def on_close(self, content: bytes) -> None:
        self._awaits_close = True
        self._add(Event(events.CLOSE, content))

    def on_ended(self) -> None:
        self._end_with(Event(events.CLOSE))

    def on_vanished(self) -> None:
        self._end_with(Event(events.DISCONNECT))

    def detach(self) -> None:
        self._end_with(Event(events.CLOSE))

    def _end_with(self, event: Event) -> None:
        """Tell the origin this and nothing more."""
        if not self._is_ending:
            self._is_ending = True
            self._waiting.clear()
            self._add(event)

    def refresh(self) -> None:
        if not self._is_ending:
            self._wants_request = True
            self._kick()


async def run_socket_over_http(services: Services, exchange: Exchange) -> None:
    """Serve one client's WebSocket by requests to its origin.

    Raises:
        LimitReached: the realm has all that it may have.
    """
    hub = services.hub
    await hub.ledger.admit(exchange.snapshot, [], hub.channels)
    limits = hub.limits
    handshake = find_handshake(exchange.scope, exchange.receive, exchange.send, limits)
    await SocketOverHttp(services, exchange, handshake).run()
