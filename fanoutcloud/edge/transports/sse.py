"""Server-sent events: `/fanout/sse` (WHATWG HTML §9.2; docs/api/subscribe.md)."""

from fanoutcloud.core.access import Grant
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.messages import welcome_message
from fanoutcloud.edge.encoding.wire import PLAIN_SSE, PREPARED_SSE, SseWire
from fanoutcloud.edge.hub.subscriber import SseCursorSubscriber, Subscriber
from fanoutcloud.edge.presence.watching import admit_watching
from fanoutcloud.edge.site.requests import SubscribeRequest, client_address, parse_subscribe
from fanoutcloud.edge.transports.streams import Beginning, StreamTransport, Wires

#: How long a browser waits before it reconnects; it adds no jitter of its own.
RETRY_MS = 2000
_BARE = SseWire(unframed)
_WIRES = Wires(PREPARED_SSE, PLAIN_SSE)


class SseTransport(StreamTransport):
    """Serves one realm's event streams."""

    def parse(self, scope: Scope) -> SubscribeRequest:
        return parse_subscribe(scope, max_channels=self._hub.limits.max_channels)

    def begin(self, realm: RealmSnapshot, scope: Scope, request: SubscribeRequest, grant: Grant) -> Beginning:
        kind = Subscriber if len(request.channels) == 1 else SseCursorSubscriber
        subscriber = kind(realm.realm, PREPARED_SSE, address=client_address(scope))
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
        return Beginning(subscriber, _WIRES, b"text/event-stream; charset=utf-8", greeting)
