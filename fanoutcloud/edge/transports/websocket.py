"""WebSocket: `/fanout/ws`, many channels on one connection (docs/api/subscribe.md)."""

from collections import deque

from fanoutcloud.core.access import Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, Forbidden, InvalidRequest, LimitReached, Unauthorized
from fanoutcloud.core.names import ChannelName, RealmId, parse_channel_name
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.streams import StoredItem, parse_position
from fanoutcloud.edge.connections.handshake import WebSocketOffer
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import (
    NOBODY,
    NOWHERE,
    GatheringSink,
    PlainSink,
    Receive,
    Scope,
    Send,
    Sink,
)
from fanoutcloud.edge.encoding import messages
from fanoutcloud.edge.encoding.compression import accepts_compression
from fanoutcloud.edge.encoding.wire import DEFLATED_WEBSOCKET, PLAIN_WEBSOCKET, PREPARED_WEBSOCKET, WireFormat
from fanoutcloud.edge.hub.catching_up import tell_places
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.presence.watching import admit_watching
from fanoutcloud.edge.selection.pattern_followers import follow_requested
from fanoutcloud.edge.selection.wishes import DELTA, FILTER, read_wish
from fanoutcloud.edge.site.client_publishing import ClientItem, publish_for
from fanoutcloud.edge.site.requests import (
    SubscribeRequest,
    check_channel_count,
    check_pattern_count,
    client_address,
    parse_subscribe,
    parse_wildcard,
)
from fanoutcloud.edge.transports.commands import Command, parse_command
from fanoutcloud.edge.transports.plain_websocket import run_plain


class WebSocketSubscriber(Subscriber):
    """A subscriber that can change its channels. Commands are handled one after the other."""

    __slots__ = ("_commands", "_commands_at", "_commands_left", "_hub")

    def __init__(self, realm: RealmId, wire: WireFormat, *, address: str, hub: Hub) -> None:
        super().__init__(realm, wire, address=address)
        self._hub = hub
        #: None: nothing is being handled. Commands that come before the URL's channels are joined wait for that.
        self._commands: deque[str] | None = deque()
        self._commands_left: float = hub.limits.commands_burst
        self._commands_at = 0.0

    @property
    def is_at_rest(self) -> bool:
        return self._commands is None and super().is_at_rest

    def deliver(self, stored: StoredItem) -> None:
        """Send one item to this subscriber alone; not compressed, since that would be for it alone, too."""
        wire = PREPARED_WEBSOCKET if self.wire is DEFLATED_WEBSOCKET else self.wire
        self.sink.write(wire.item(stored))
        ending = wire.ending(stored.item)
        if ending is not None:
            self.end(ending)

    def tell(self, message: bytes) -> None:
        """Send one JSON message to this client alone."""
        self.sink.write(self.wire.framing(message))

    def on_text(self, text: str) -> None:
        self._hub.ledger.heard(self)
        limits = self._hub.limits
        if not self._is_in_pace():
            self._refuse_commands(
                f"{limits.commands_per_s:,.0f} commands per second, {limits.commands_burst:,} at once"
            )
        elif self._commands is None:
            self._commands = deque([text])
            self._hub.spawn(self.handle_waiting())
        elif len(self._commands) < limits.max_waiting_commands:
            self._commands.append(text)
        else:
            self._refuse_commands(f"{limits.max_waiting_commands:,} commands ahead of their answers")

    def on_bytes(self, data: bytes) -> None:
        self.sink.close(1003, "send JSON as text messages")

    def on_violation(self, code: int, reason: str) -> None:
        super().on_violation(code, reason)
        self._hub.violations.note(self, code, reason)

    def _is_in_pace(self) -> bool:
        """Count one command; tell whether the client's token bucket had room for it."""
        limits, now = self._hub.limits, self._hub.clock.monotonic()
        left = self._commands_left + (now - self._commands_at) * limits.commands_per_s
        self._commands_left, self._commands_at = min(limits.commands_burst, left) - 1, now
        return self._commands_left >= 0

    def _refuse_commands(self, value: str) -> None:
        """End a connection that sends too many commands, saying which limit that was."""
        if not self.is_closed:
            error = LimitReached("connection_commands", value, retry_after_s=1)
            self._hub.ledger.limits.hits[error.limit] += 1
            self._hub.tell_refused(self.realm, error, self.address)
            self.tell(messages.error_message(error))
            self.close(CloseReason.TOO_MANY_COMMANDS)

    def listen(self) -> None:
        """Take commands: nothing can have come yet."""
        self._commands = None

    async def handle_waiting(self) -> None:
        """Handle the commands that wait, and from now on others as they come."""
        while self._commands and not self.is_closed:
            await self.handle(self._commands.popleft())
        self._commands = None

    async def handle(self, text: str) -> None:
        """Do what one message asks; a fault is told and hurts nothing else on the connection."""
        command = None
        try:
            command = parse_command(text)
            await self._do(command)
        except FanoutError as error:
            if isinstance(error, LimitReached | Unauthorized | Forbidden):
                self._hub.tell_refused(self.realm, error, self.address)
            if not self.is_closed:
                channel, id_, pattern = (command.channel, command.id, command.pattern) if command else (None,) * 3
                self.tell(messages.error_message(error, channel=channel, id_=id_, pattern=pattern))

    async def _do(self, command: Command) -> None:
        if command.type == "ping":
            self.tell(messages.PONG)
            return
        if command.type == "auth":
            await self._authorize(command.token)
            return
        if command.type == "publish":
            await self._publish(command)
            return
        if command.pattern is not None:
            await self._change_patterns(command, parse_wildcard(command.pattern))
            return
        channel = parse_channel_name(command.channel or "")
        if command.type == "unsubscribe":
            if not self._hub.leave(self, channel):
                raise InvalidRequest("this channel is not subscribed", cure="subscribe first", field="channel")
            self.set_wish(channel, None)
            self.tell(messages.unsubscribed_message(channel))
        elif self.following is None:
            await self._subscribe(command, channel)
        else:
            async with self.following.turn:  # a pattern may be about to bring it there
                await self._subscribe(command, channel)
        self._hub.tell_connected(self)

    async def _subscribe(self, command: Command, channel: ChannelName) -> None:
        if channel in self.channels:
            raise InvalidRequest("this channel is subscribed already", cure="unsubscribe first", field="channel")
        check_channel_count(len(self.channels) + 1, self._hub.limits.max_channels)
        since = parse_position(command.since) if command.since else None
        wish = read_wish({FILTER: command.filter, DELTA: command.delta})
        realm = await self._hub.gate.check_now(self, "subscribe", channel)
        watched = admit_watching(self._hub.gate, self.grant, realm, [channel] if command.presence else [])
        await self._hub.ledger.admit_channels(self.realm, [channel], self._hub.channels)
        self.set_wish(channel, wish)
        self.watched = self.watched - {channel} | watched
        await self._hub.join(self, [(channel, since)])

    async def _change_patterns(self, command: Command, pattern: ChannelPattern) -> None:
        """Follow a pattern, or do so no more."""
        hub, known = self._hub, self.following.patterns if self.following is not None else {}
        if command.type == "subscribe" and pattern in known:
            raise InvalidRequest("this pattern is subscribed already", cure="unsubscribe first", field="pattern")
        if command.type == "unsubscribe":
            if hub.followers is None or pattern not in known:
                raise InvalidRequest("this pattern is not subscribed", cure="subscribe first", field="pattern")
            hub.followers.unfollow(self, pattern)
            self.tell(messages.pattern_unsubscribed_message(str(pattern)))
            return
        check_pattern_count(len(known) + 1, hub.max_patterns)
        wish = read_wish({FILTER: command.filter, DELTA: command.delta})
        hub.gate.check_pattern(self.grant, await hub.gate.find_realm(self.realm), pattern)
        if hub.followers is not None:
            await hub.followers.follow(self, pattern, wish)

    async def _publish(self, command: Command) -> None:
        """Publish what the client says, and tell it where that went."""
        realm = await self._hub.gate.find_realm(self.realm)
        wanted = ClientItem(command.channel or "", command.data, command.id)
        author = self.grant.user or self.connection
        self.tell(await publish_for(self._hub, self.grant, realm, wanted, author=author))

    async def _authorize(self, token: str) -> None:
        """Take a token in place of the one that was there, and part with channels that it does not allow."""
        gate = self._hub.gate
        realm = await gate.find_realm(self.realm)
        grant = await gate.admit(realm, token, address=self.address)
        if self.grant.user and grant.user != self.grant.user:
            raise InvalidRequest(
                "the token is of another user than the one before",
                cure="open a connection for each user",
                field="token.sub",
            )
        self._hub.set_grant(self, grant)
        self.tell(messages.authorized_message(gate.describe(grant)))
        for channel in list(self.channels):
            try:
                gate.check(grant, realm, "subscribe", channel)
            except (Unauthorized, Forbidden) as error:
                self.lose(channel, error)
        for pattern in list(self.following.patterns) if self.following is not None else ():
            try:
                gate.check_pattern(grant, realm, pattern)
            except (Unauthorized, Forbidden) as error:
                self.lose_pattern(pattern, error)

    def lose_pattern(self, pattern: ChannelPattern, error: FanoutError) -> None:
        if self._hub.followers is not None:
            self._hub.followers.unfollow(self, pattern)
        self.tell(messages.error_message(error, pattern=str(pattern)))
        self.tell(messages.pattern_unsubscribed_message(str(pattern)))

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        self._hub.leave(self, channel)
        self.set_wish(channel, None)
        self.tell(messages.error_message(error, channel=channel))
        self.tell(messages.unsubscribed_message(channel))
        self._hub.tell_connected(self)

    def tell_token_expired(self, grace_s: float) -> None:
        self.tell(messages.token_expired_message(grace_s))


class WebSocketTransport:
    """Serves one realm's WebSockets."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one handshake.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, LimitReached: before anything was sent.
        """
        request = self._parse(scope)
        grant = await self._hub.gate.admit_request(realm, scope, request.options, request.channels, request.patterns)
        await self._hub.ledger.admit(realm, request.channels, self._hub.channels)
        subscriber = self._make(realm, scope, request, grant)
        offer = scope.get("extensions", {}).get(EXTENSION)
        if offer is not None:
            held = self._hold(offer, subscriber, scope)
            if held is not None:
                subscriber.sink = held
                await self._begin(subscriber, request)
        else:
            subscriber.wire = PLAIN_WEBSOCKET
            subscriber.sink = sink = PlainSink(subscriber, self._hub.limits)
            beginning = self._begin(subscriber, request)
            await run_plain(sink, receive, send, subscriber, beginning, limits=self._hub.limits)

    def accept_at_once(self, realm: RealmSnapshot, scope: Scope) -> bool:
        """Answer a handshake of our own server if nothing has to be waited for; False: nothing was done, `serve` it.

        Raises:
            InvalidRequest, Unauthorized, Forbidden: as `serve`, which it leaves to count and answer them.
        """
        request = self._parse(scope)
        grant = self._hub.gate.admit_request_at_once(realm, scope, request.options, request.channels)
        places = None if request.patterns else self._hub.find_places(realm.realm, request.wanted)
        if grant is None or places is None or not self._hub.ledger.admits_at_once(realm):
            return False
        subscriber = self._make(realm, scope, request, grant)
        offer: WebSocketOffer = scope["extensions"][EXTENSION]
        if not offer.has_left:
            subscriber.sink = told = GatheringSink()
            self._welcome(subscriber)
            tell_places(subscriber, places)
            subscriber.sink = self._hold(offer, subscriber, scope, first=told.gathered()) or NOWHERE
            self._hub.enter(subscriber, places)
            self._hub.tell_connected(subscriber)
            subscriber.listen()
        return True

    def _parse(self, scope: Scope) -> SubscribeRequest:
        limits = self._hub.limits
        return parse_subscribe(
            scope, max_channels=limits.max_channels, needs_channel=False, max_patterns=self._hub.max_patterns
        )

    def _make(self, realm: RealmSnapshot, scope: Scope, request: SubscribeRequest, grant: Grant) -> WebSocketSubscriber:
        subscriber = WebSocketSubscriber(realm.realm, PREPARED_WEBSOCKET, address=client_address(scope), hub=self._hub)
        subscriber.wishes = request.wishes
        subscriber.watched = admit_watching(self._hub.gate, grant, realm, request.watched)
        subscriber.grant = grant
        return subscriber

    def _hold(
        self, offer: WebSocketOffer, subscriber: WebSocketSubscriber, scope: Scope, *, first: bytes = b""
    ) -> Sink | None:
        if self._hub.limits.compresses and accepts_compression(scope["headers"]):
            subscriber.wire = DEFLATED_WEBSOCKET
            return offer.hold_deflated(subscriber, first=first)
        return offer.hold(subscriber, first=first)

    def _welcome(self, subscriber: WebSocketSubscriber) -> None:
        self._hub.register(subscriber)
        subscriber.tell(
            messages.welcome_message(
                realm=subscriber.realm,
                connection=subscriber.connection,
                keep_alive_s=self._hub.limits.keep_alive_s,
                grant=self._hub.gate.describe(subscriber.grant),
            )
        )

    async def _begin(self, subscriber: WebSocketSubscriber, request: SubscribeRequest) -> None:
        self._welcome(subscriber)
        try:
            await self._hub.join(subscriber, request.wanted)
            await follow_requested(self._hub, subscriber, request)
        except FanoutError:
            subscriber.close(CloseReason.UNAVAILABLE)
        else:
            self._hub.tell_connected(subscriber)
            await subscriber.handle_waiting()


async def refuse_websocket(scope: Scope, receive: Receive, send: Send, error: FanoutError, reason: CloseReason) -> None:
    """Accept, tell the error, and close with the reason's code."""
    message = messages.error_message(error)
    offer = scope.get("extensions", {}).get(EXTENSION)
    if offer is not None:
        held = offer.hold(NOBODY, first=PREPARED_WEBSOCKET.framing(message))
        if held is not None:
            held.close(reason.code, reason.reason)
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": message.decode()})
    await send({"type": "websocket.close", "code": reason.code, "reason": reason.reason})
