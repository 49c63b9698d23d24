"""Bayeux as the site's application asks for it: one object for all its transports."""

from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.bayeux.http import PATH, SCRIPT_PATHS, BayeuxHttp
from fanoutcloud.edge.bayeux.moves import Moves
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.bayeux.socket import serve_socket
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.hub.hub import Hub


class BayeuxTransport:
    """Serves all that is under `/bayeux`."""

    def __init__(self, hub: Hub, roll_call: RollCall | None = None) -> None:
        """With a `roll_call`, sessions come from other edges and go to them."""
        self._hub = hub
        self.sessions = Sessions(hub)
        self.moves = Moves(hub, self.sessions, roll_call)
        self._http = BayeuxHttp(hub, self.sessions, self.moves)

    @staticmethod
    def is_path(path: str) -> bool:
        """Whether the path under a site, without a slash at its end, is Bayeux's."""
        return path == PATH or path.startswith(f"{PATH}/") or path in SCRIPT_PATHS

    async def serve(self, path: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] == "websocket":
            await serve_socket(self._hub, self.sessions, self.moves, realm, scope, receive, send)
        else:
            await self._http.serve(path, realm, scope, receive, send)
