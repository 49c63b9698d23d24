"""HTTP streaming: `/fanout/stream`, JSON messages by the line, or raw content (docs/api/subscribe.md)."""

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.messages import welcome_message
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, PLAIN_RAW_STREAM, PREPARED_JSON_LINES, PREPARED_RAW_STREAM
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.presence.watching import admit_watching
from fanoutcloud.edge.site.requests import choose, client_address, parse_subscribe
from fanoutcloud.edge.transports.streams import StreamResponse, Wires


class HttpStreamTransport:
    """Serves one realm's streams. `mode=raw` gives only what publishers wrote, without positions."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, LimitReached: before anything was sent.
        """
        request = parse_subscribe(
            scope, max_channels=self._hub.limits.max_channels, max_patterns=self._hub.max_patterns
        )
        grant = await self._hub.gate.admit_request(realm, scope, request.options, request.channels, request.patterns)
        is_raw = choose(request.options, "mode", among=("json", "raw")) == "raw"
        subscriber = Subscriber(realm.realm, PREPARED_JSON_LINES, address=client_address(scope))
        subscriber.wishes = request.wishes
        subscriber.watched = admit_watching(self._hub.gate, grant, realm, request.watched)
        subscriber.grant = grant
        if is_raw:
            wires, content_type, greeting = (
                Wires(PREPARED_RAW_STREAM, PLAIN_RAW_STREAM),
                b"text/plain; charset=utf-8",
                b"",
            )
        else:
            wires, content_type = Wires(PREPARED_JSON_LINES, PLAIN_JSON_LINES), b"application/x-ndjson"
            welcome = welcome_message(
                realm=realm.realm,
                connection=subscriber.connection,
                keep_alive_s=self._hub.limits.keep_alive_s,
                grant=self._hub.gate.describe(grant),
            )
            greeting = welcome + b"\n"
        response = StreamResponse(self._hub, scope, receive, send, content_type)
        await self._hub.ledger.admit(realm, request.channels, self._hub.channels)
        await response.run(subscriber, request, wires, greeting)
