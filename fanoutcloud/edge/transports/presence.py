"""Who is there: `GET /fanout/presence`, and what subscribers may ask on a WebSocket (docs/topics/presence.md)."""

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.access.gate import read_token
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.presence.presence import Presence
from fanoutcloud.edge.presence.view import presence_message
from fanoutcloud.edge.presence.watching import check_watching
from fanoutcloud.edge.site.requests import client_address, parse_subscribe, read_limit
from fanoutcloud.edge.site.responses import respond

MAX_PAGE = 1000
_JSON = (b"content-type", b"application/json")


class PresenceTransport:
    """Answers who is on a channel, page by page in order of the users' names."""

    def __init__(self, hub: Hub, presence: Presence) -> None:
        self._hub = hub
        self._presence = presence

    async def serve(self, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            InvalidRequest, Unauthorized, Forbidden, Unavailable: before anything was sent.
        """
        request = parse_subscribe(scope, max_channels=1)
        [channel] = request.channels
        grant = await self._hub.gate.admit(realm, read_token(scope, request.options), address=client_address(scope))
        check_watching(self._hub.gate, grant, realm, channel)
        found = await self._presence.list_members(realm.realm, channel)
        limit = read_limit(request.options, most=MAX_PAGE, of="members")
        after = request.options.get("cursor", "")
        body = presence_message(channel, found.members, found.anonymous, after=after, limit=limit)
        await respond(send, 200, body + b"\n", headers=[_JSON])
