"""Server-sent events: `/fanout/sse` (WHATWG HTML §9.2; docs/api/subscribe.md)."""

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.messages import welcome_message
from fanoutcloud.edge.encoding.wire import PLAIN_SSE, PREPARED_SSE, SseWire
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import SseCursorSubscriber, Subscriber
from fanoutcloud.edge.presence.watching import admit_watching
from fanoutcloud.edge.site.requests import client_address, parse_subscribe
from fanoutcloud.edge.transports.streams import StreamResponse, Wires

#: How long a browser waits before it reconnects; it adds no jitter of its own.
RETRY_MS = 2000
_BARE = SseWire(unframed)


class SseTransport:
    """Serves one realm's event streams."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, LimitReached: before anything was sent.
        """
        request = parse_subscribe(scope, max_channels=self._hub.limits.max_channels)
        grant = await self._hub.gate.admit_request(realm, scope, request.options, request.channels)
        address = client_address(scope)
        kind = Subscriber if len(request.channels) == 1 else SseCursorSubscriber
        subscriber = kind(realm.realm, PREPARED_SSE, address=address)
        subscriber.wishes = request.wishes
        subscriber.watched = admit_watching(self._hub.gate, grant, realm, request.watched)
        subscriber.grant = grant
        welcome = welcome_message(
            realm=realm.realm,
            connection=subscriber.connection,
            keep_alive_s=self._hub.limits.keep_alive_s,
            grant=self._hub.gate.describe(grant),
        )
        greeting = b"retry: %d\n" % RETRY_MS + _BARE.event(welcome, name="welcome")
        response = StreamResponse(self._hub, scope, receive, send, b"text/event-stream; charset=utf-8")
        await self._hub.ledger.admit(realm, request.channels, self._hub.channels)
        await response.run(subscriber, request, Wires(PREPARED_SSE, PLAIN_SSE), greeting)
