"""Bayeux over EventSource: messages go down one stream; what the client says comes by POST."""

import asyncio

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.edge.bayeux.messages import write_batch
from fanoutcloud.edge.bayeux.session import BayeuxSession
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import PlainSink, Receive, Scope, Send, Sink, send_last
from fanoutcloud.edge.encoding.frames import http_chunk, unframed
from fanoutcloud.edge.encoding.wire import Framing
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.site.responses import headers_for_page

EVENT_STREAM = (b"content-type", b"text/event-stream")
_GREETING = b"retry: 2000\n\n"
_KEEP_ALIVE = b":\n\n"


class EventStream:
    """The stream of one session: its outlet, and the owner of the connection."""

    __slots__ = ("_framing", "_session", "_sessions", "sink")

    outlives_session = False

    def __init__(self, sessions: Sessions, session: BayeuxSession, framing: Framing) -> None:
        self._sessions = sessions
        self._session = session
        self._framing = framing
        self.sink: Sink

    def begin(self) -> None:
        """Send what comes from now on."""
        self.sink.write(self._framing(_GREETING))
        self._session.attach(self)

    # -- what the session asks (Outlet)

    def send(self, messages: list[bytes]) -> None:
        self.sink.write(self._framing(b"data: %b\n\n" % write_batch(messages)))

    def keep_alive(self) -> None:
        self.sink.write(self._framing(_KEEP_ALIVE))

    def unsent_bytes(self) -> int:
        return self.sink.unsent_bytes()

    async def drained(self) -> None:
        await self.sink.drained()

    def close(self, reason: CloseReason) -> None:
        self.sink.close(reason.code, reason.reason)

    # -- what the connection tells (SinkOwner)

    def on_overflow(self) -> None:
        self._session.close(CloseReason.SLOW)

    def on_lost(self) -> None:
        self._session.detach(self)
        self._sessions.rest(self._session)

    def on_text(self, text: str) -> None:
        """Nothing is said on a stream."""

    def on_bytes(self, data: bytes) -> None:
        """Nor this."""

    def on_violation(self, code: int, reason: str) -> None:
        """Nor can anything be said wrongly."""


async def serve_event_source(
    hub: Hub, sessions: Sessions, session: BayeuxSession, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer with the session's stream; where our own server holds it, return at once."""
    headers = [EVENT_STREAM, (b"x-accel-buffering", b"no"), *headers_for_page(scope)]
    offer = scope.get("extensions", {}).get(EXTENSION)
    if offer is not None:
        stream = EventStream(sessions, session, http_chunk if offer.is_chunked else unframed)
        held = offer.hold(headers, stream)
        if held is not None:
            stream.sink = held
            stream.begin()
            sessions.rest(session)
            return
    stream = EventStream(sessions, session, unframed)
    stream.sink = sink = PlainSink(stream, hub.limits)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    stream.begin()
    sessions.rest(session)
    await _pump(sink, stream, hub, receive, send)


async def _pump(sink: PlainSink, stream: EventStream, hub: Hub, receive: Receive, send: Send) -> None:
    async def send_frame(frame: bytes) -> None:
        await send({"type": "http.response.body", "body": frame, "more_body": True})

    async def watch_client() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        sink.close(1000, "")

    try:
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(watch_client())
            await sink.pump(send_frame)
            watcher.cancel()
        await send_last(send, {"type": "http.response.body", "body": b""}, hub.limits)
    finally:
        stream.on_lost()
