"""What SSE and HTTP streaming share: an endless response, held on the socket or pumped through ASGI."""

import asyncio
from dataclasses import dataclass

import msgspec

from fanoutcloud.core.access import Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import GatheringSink, PlainSink, Receive, Scope, Send, send_last
from fanoutcloud.edge.encoding.wire import WireFormat
from fanoutcloud.edge.hub.catching_up import tell_places
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.selection.pattern_followers import follow_requested
from fanoutcloud.edge.site.requests import SubscribeRequest
from fanoutcloud.edge.site.responses import SITE_HEADERS, Headers


@dataclass(frozen=True, slots=True)
class Wires:
    """One wire format in both framings."""

    prepared: WireFormat
    plain: WireFormat


class Beginning(msgspec.Struct, frozen=True):
    """How one endless response begins: `greeting` is content, not framed."""

    subscriber: Subscriber
    wires: Wires
    content_type: bytes
    greeting: bytes


class StreamTransport:
    """Serves one realm's endless responses of one kind."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def parse(self, scope: Scope) -> SubscribeRequest:
        """Read the request.

        Raises:
            InvalidRequest: it is wrong.
        """
        raise NotImplementedError

    def begin(self, realm: RealmSnapshot, scope: Scope, request: SubscribeRequest, grant: Grant) -> Beginning:
        """Make the subscriber.

        Raises:
            InvalidRequest, Forbidden: it wants what is not offered, or what it may not have.
        """
        raise NotImplementedError

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, LimitReached: before anything was sent.
        """
        request = self.parse(scope)
        grant = await self._hub.gate.admit_request(realm, scope, request.options, request.channels, request.patterns)
        beginning = self.begin(realm, scope, request, grant)
        response = StreamResponse(self._hub, scope, receive, send, beginning.content_type)
        await self._hub.ledger.admit(realm, request.channels, self._hub.channels)
        await response.run(beginning.subscriber, request, beginning.wires, beginning.greeting)

    def accept_at_once(self, realm: RealmSnapshot, scope: Scope) -> bool:
        """Answer a request to our own server if nothing has to be waited for; False: nothing was done, `serve` it.

        Raises:
            InvalidRequest, Unauthorized, Forbidden: as `serve`, which it leaves to count and answer them.
        """
        hub, request = self._hub, self.parse(scope)
        grant = hub.gate.admit_request_at_once(realm, scope, request.options, request.channels)
        places = None if request.patterns else hub.find_places(realm.realm, request.wanted)
        if grant is None or places is None or not hub.ledger.admits_at_once(realm):
            return False
        beginning = self.begin(realm, scope, request, grant)
        subscriber = beginning.subscriber
        subscriber.wire = beginning.wires.prepared
        subscriber.sink = told = GatheringSink()
        greet(hub, subscriber, beginning.greeting)
        tell_places(subscriber, places)
        offer, headers = scope["extensions"][EXTENSION], stream_headers(beginning.content_type)
        subscriber.sink = offer.hold(headers, subscriber, first=told.gathered())
        hub.enter(subscriber, places)
        hub.tell_connected(subscriber)
        return True


def stream_headers(content_type: bytes) -> Headers:
    """Return the headers of an endless response."""
    return [
        (b"content-type", content_type),
        (b"x-accel-buffering", b"no"),  # nginx buffers responses unless told
        *SITE_HEADERS,
    ]


def greet(hub: Hub, subscriber: Subscriber, greeting: bytes) -> None:
    """Count the subscriber among the open ones, and tell it what comes first."""
    hub.register(subscriber)
    subscriber.sink.write(subscriber.wire.framing(greeting))


class StreamResponse:
    """One endless response: begin it, join its channels, and stay until it ends, if this server needs that."""

    def __init__(self, hub: Hub, scope: Scope, receive: Receive, send: Send, content_type: bytes) -> None:
        self._hub = hub
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers = stream_headers(content_type)

    async def run(self, subscriber: Subscriber, request: SubscribeRequest, wires: Wires, greeting: bytes) -> None:
        """Serve `subscriber`; `greeting` is content to begin with, not framed.

        Returns at once where our own server holds the connection, else when it ends.
        """
        offer = self._scope.get("extensions", {}).get(EXTENSION)
        subscriber.wire = wires.prepared if offer is not None and offer.is_chunked else wires.plain
        held = offer.hold(self._headers, subscriber) if offer is not None else None
        if held is not None:
            subscriber.sink = held
            await self._begin(subscriber, request, greeting)
        else:
            subscriber.wire = wires.plain
            await self._pump(subscriber, request, greeting)

    async def _begin(self, subscriber: Subscriber, request: SubscribeRequest, greeting: bytes) -> None:
        greet(self._hub, subscriber, greeting)
        try:
            await self._hub.join(subscriber, request.wanted)
            await follow_requested(self._hub, subscriber, request)
        except FanoutError:
            subscriber.close(CloseReason.UNAVAILABLE)
        else:
            self._hub.tell_connected(subscriber)

    async def _pump(self, subscriber: Subscriber, request: SubscribeRequest, greeting: bytes) -> None:
        sink = subscriber.sink = PlainSink(subscriber, self._hub.limits)
        await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        try:
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(self._watch_client(subscriber))
                joiner = tasks.create_task(self._begin(subscriber, request, greeting))
                await sink.pump(self._send_frame)
                watcher.cancel()
                joiner.cancel()
            await send_last(self._send, {"type": "http.response.body", "body": b""}, self._hub.limits)
        finally:
            self._hub.unregister(subscriber)

    async def _send_frame(self, frame: bytes) -> None:
        await self._send({"type": "http.response.body", "body": frame, "more_body": True})

    async def _watch_client(self, subscriber: Subscriber) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        subscriber.sink.close(1000, "")
        subscriber.on_lost()
