"""HTTP streaming: `/fanout/stream`, JSON messages by the line, or raw content (docs/api/subscribe.md)."""

from fanoutcloud.core.access import Grant
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.encoding.messages import welcome_message
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, PLAIN_RAW_STREAM, PREPARED_JSON_LINES, PREPARED_RAW_STREAM
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.presence.watching import admit_watching
from fanoutcloud.edge.site.requests import SubscribeRequest, choose, client_address, parse_subscribe
from fanoutcloud.edge.transports.streams import Beginning, StreamTransport, Wires

_JSON_LINES = Wires(PREPARED_JSON_LINES, PLAIN_JSON_LINES)
_RAW = Wires(PREPARED_RAW_STREAM, PLAIN_RAW_STREAM)


class HttpStreamTransport(StreamTransport):
    """Serves one realm's streams. `mode=raw` gives only what publishers wrote, without positions."""

    def parse(self, scope: Scope) -> SubscribeRequest:
        limits = self._hub.limits
        return parse_subscribe(scope, max_channels=limits.max_channels, max_patterns=self._hub.max_patterns)

    def begin(self, realm: RealmSnapshot, scope: Scope, request: SubscribeRequest, grant: Grant) -> Beginning:
        is_raw = choose(request.options, "mode", among=("json", "raw")) == "raw"
        subscriber = Subscriber(realm.realm, PREPARED_JSON_LINES, address=client_address(scope))
        subscriber.wishes = request.wishes
        subscriber.watched = admit_watching(self._hub.gate, grant, realm, request.watched)
        subscriber.grant = grant
        if is_raw:
            return Beginning(subscriber, _RAW, b"text/plain; charset=utf-8", b"")
        welcome = welcome_message(
            realm=realm.realm,
            connection=subscriber.connection,
            keep_alive_s=self._hub.limits.keep_alive_s,
            grant=self._hub.gate.describe(grant),
        )
        return Beginning(subscriber, _JSON_LINES, b"application/x-ndjson", welcome + b"\n")
