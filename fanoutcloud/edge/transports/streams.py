"""What SSE and HTTP streaming share: an endless response, held on the socket or pumped through ASGI."""

import asyncio
from dataclasses import dataclass

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import PlainSink, Receive, Scope, Send, send_last
from fanoutcloud.edge.encoding.wire import WireFormat
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


class StreamResponse:
    """One endless response: begin it, join its channels, and stay until it ends, if this server needs that."""

    def __init__(self, hub: Hub, scope: Scope, receive: Receive, send: Send, content_type: bytes) -> None:
        self._hub = hub
        self._scope = scope
        self._receive = receive
        self._send = send
        self._headers: Headers = [
            (b"content-type", content_type),
            (b"x-accel-buffering", b"no"),  # nginx buffers responses unless told
            *SITE_HEADERS,
        ]

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
        self._hub.register(subscriber)
        subscriber.sink.write(subscriber.wire.framing(greeting))
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
