"""A WebSocket under the control of its origin: what the origin tells, what is published, what is sent when idle.

The same for origins that speak WebSocket and those that are asked over HTTP: who talks to the origin makes a
`GripSocket`, hands it the origin's messages (`from_origin`) and hears what the client says (`OriginSide`).
Source: GRIP: WebSocket control messages.
"""

from typing import Protocol

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import Item, WsMessage
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.encoding.wire import Ending
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.site.requests import client_address
from fanoutcloud.grip import control_messages as control
from fanoutcloud.grip.client_sockets import ClientSocket, Handshake
from fanoutcloud.grip.control_messages import Control, GripExtension, Message, split_message
from fanoutcloud.grip.exchange import Exchange
from fanoutcloud.grip.filters import FilterFault
from fanoutcloud.grip.held_subscribers import Services
from fanoutcloud.grip.instructions import MAX_CHANNELS, MAX_FILTERS_PER_CHANNEL, HoldChannel
from fanoutcloud.grip.stream_holds import period_s
from fanoutcloud.grip.subscriptions import HeldChannel, Subscriptions

_CLOSE_1011 = (1011).to_bytes(2, "big")


class OriginSide(Protocol):
    """Who talks to the origin. None of these waits."""

    def on_message(self, message: Message) -> None:
        """The client sent a message, a ping or a pong."""

    def on_close(self, content: bytes) -> None:
        """The client wants to end; the answer is the origin's."""

    def on_vanished(self) -> None:
        """The client has gone without a word."""

    def on_ended(self) -> None:
        """The client was closed by us: a published close."""

    def refresh(self) -> None:
        """A publisher wants the origin to be asked."""

    def detach(self) -> None:
        """The origin wants to hear no more."""


class GripSocket(Subscriber):
    """One client. Publishes reach it without the origin."""

    __slots__ = (
        "_delayed", "_encode", "_has_closed", "_is_detached", "_keep_alive", "_origin", "_wrote_at", "exchange",
        "extension", "services", "subscriptions",
    )  # fmt: skip

    is_shared = False
    sink: ClientSocket

    def __init__(self, services: Services, exchange: Exchange, origin: OriginSide, handshake: Handshake) -> None:
        wire = services.socket_wire(handshake.encode_message)
        super().__init__(exchange.snapshot.realm, wire, address=client_address(exchange.scope))
        self.services = services
        self.exchange = exchange
        self.extension: GripExtension | None = None
        self.subscriptions = Subscriptions()
        self._origin = origin
        self._encode = handshake.encode_message
        self._has_closed = False
        self._is_detached = False
        self._keep_alive: control.SetKeepAlive | None = None
        self._delayed: Message | None = None
        self._wrote_at = self._clock.monotonic()

    @property
    def _clock(self) -> Clock:
        return self.services.hub.clock

    # -- to the client

    def send(self, message: Message) -> None:
        """Send one whole message."""
        if not self.is_closed:
            self._wrote_at = self._clock.monotonic()
            self.sink.write(self._encode(message))

    def close_as(self, content: bytes) -> None:
        """End with a close frame of the origin's words: code and reason, or nothing."""
        if not self.is_closed:
            self.close_reason = CloseReason.ENDED
            self._has_closed = True
            self.sink.close_as(content)
            self.on_lost()

    def drop(self) -> None:
        """End without a close: something went wrong at the origin."""
        if not self.is_closed:
            self.close_reason = CloseReason.UNAVAILABLE
            self._has_closed = True
            self.sink.drop()
            self.on_lost()

    # -- from the origin

    async def from_origin(self, message: Message) -> None:
        """Do what one message of the origin says: for us, for the client, or nothing."""
        if self.extension is None or message.type in ("ping", "pong"):
            self._note_message(message)
            self.send(message)
            return
        meant = split_message(message.content, self.extension, is_text=message.type == "text")
        if isinstance(meant, bytes):
            self._note_message(message)
            self.send(Message(message.type, meant))
        elif meant is not None:
            await self._obey(meant)

    async def _obey(self, told: Control) -> None:
        match told:
            case control.Subscribe():
                await self._subscribe(told)
            case control.Unsubscribe(channel):
                self.subscriptions.channels.pop(channel, None)
                self.services.hub.leave(self, channel)
            case control.SetMeta(name, None):
                self.subscriptions.meta.pop(name, None)
            case control.SetMeta(name, str(value)):
                self.subscriptions.meta[name] = value
            case control.SetKeepAlive():
                self._set_keep_alive(told)
            case control.SendDelayed():
                self._send_delayed(told)
            case control.FlushDelayed():
                self._flush()
            case control.Detach():
                self._is_detached = True
                self._origin.detach()

    async def _subscribe(self, told: control.Subscribe) -> None:
        channels, hub = self.subscriptions.channels, self.services.hub
        if told.channel not in channels and len(channels) >= MAX_CHANNELS:
            return
        if len(told.filters) > MAX_FILTERS_PER_CHANNEL:
            self.close_as(_CLOSE_1011)
            return
        channels[told.channel] = HeldChannel(HoldChannel(told.channel, filters=told.filters))
        if told.channel in self.channels:
            return
        try:
            await hub.ledger.admit_channels(self.realm, [told.channel], hub.channels)
            await hub.join(self, [(told.channel, None)])
        except FanoutError as error:
            channels.pop(told.channel, None)
            self.exchange.tell_failed(error.line, cause=error.code)
            self.drop()

    # -- from publishers

    def find_filter(self, item: Item) -> str:
        """See `Subscriber.find_filter`: GRIP's delivery filters, such as skip-self."""
        return self.subscriptions.find_filter(item)

    def deliver(self, stored: StoredItem) -> None:
        message = stored.item.ws_message
        if message is None or self.is_closed:
            return
        if message.action == "send":
            self._publish(stored, message)
        elif message.action == "close":
            if self.subscriptions.lets_through(stored.item):
                self.end(Ending(message.code or 1000, message.reason))
        elif message.action == "refresh":
            self._origin.refresh()

    def _publish(self, stored: StoredItem, message: WsMessage) -> None:
        channel = self.subscriptions.channels.get(stored.item.channel)
        if channel is not None and not channel.filters and not message.content_filters:
            self._wrote_at = self._clock.monotonic()
            self.sink.write(self.wire.item(stored))
            return
        try:
            content = self.subscriptions.content_of(stored.item, message.content, message.content_filters)
        except FilterFault as fault:
            self.exchange.tell_failed(fault.line, cause=fault.code, field=fault.field)
            return
        if content is not None:
            self.send(Message(message.type, content))

    def end(self, ending: Ending) -> None:
        if not self.is_closed:
            self._has_closed = True
            if not self._is_detached:
                self._origin.on_ended()
            super().end(ending)

    def close(self, reason: CloseReason, text: str = "") -> None:
        if not self.is_closed:
            self._has_closed = reason is not CloseReason.SLOW
            if self._has_closed and not self._is_detached:
                self._origin.on_ended()
            super().close(reason, text)

    def tell_reset(self, channel: ChannelName, position: object, reason: str) -> None:
        """WebSockets have no positions: what is lost is lost, and the publisher's next item follows."""

    # -- from the client (RelayOwner)

    def on_text(self, text: str) -> None:
        self._pass_on(Message("text", text.encode()))

    def on_bytes(self, data: bytes) -> None:
        self._pass_on(Message("binary", data))

    def on_ping(self, content: bytes) -> None:
        if self._is_detached:
            self.send(Message("pong", content))
        self._pass_on(Message("ping", content))

    def on_pong(self, content: bytes) -> None:
        self._pass_on(Message("pong", content))

    def _note_message(self, message: Message) -> None:
        if message.type not in ("ping", "pong"):
            self.services.hub.ledger.heard(self)

    def _pass_on(self, message: Message) -> None:
        self._note_message(message)
        if not self._is_detached and not self.is_closed:
            self._origin.on_message(message)

    def on_close(self, content: bytes) -> None:
        self._has_closed = True
        if self._is_detached:
            self.close_as(content)
        else:
            self._origin.on_close(content)

    def on_lost(self) -> None:
        is_first = not self.is_closed
        super().on_lost()
        if is_first and not self._has_closed and not self._is_detached:
            self._origin.on_vanished()

    # -- in time

    def _set_keep_alive(self, told: control.SetKeepAlive) -> None:
        self._keep_alive = told
        if told.message is not None:
            self.services.wheel.put(period_s(told.timeout_s), lambda: self._on_keep_alive_due(told))

    def _on_keep_alive_due(self, told: control.SetKeepAlive) -> float | None:
        if self.is_closed or told is not self._keep_alive or told.message is None:
            return None
        period = period_s(told.timeout_s)
        idle_s = self._clock.monotonic() - self._wrote_at
        if not told.is_interval and idle_s + 0.01 < period:
            return period - idle_s
        wrote_at = self._wrote_at
        self.send(told.message)
        if told.is_interval:
            self._wrote_at = wrote_at
        return period

    def _send_delayed(self, told: control.SendDelayed) -> None:
        self._flush()
        delayed = self._delayed = told.message

        def due() -> None:
            if self._delayed is delayed:
                self._flush()

        self.services.wheel.put(told.delay_s, due)

    def _flush(self) -> None:
        if self._delayed is not None:
            message, self._delayed = self._delayed, None
            self.send(message)
