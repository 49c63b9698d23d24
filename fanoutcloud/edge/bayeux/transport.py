"""Bayeux as the site's application asks for it: one object for all its transports."""

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.bayeux.http import PATH, SCRIPT_PATHS, BayeuxHttp
from fanoutcloud.edge.bayeux.sessions import Sessions
from fanoutcloud.edge.bayeux.socket import serve_socket
from fanoutcloud.edge.hub import Hub
from fanoutcloud.edge.sinks import Receive, Scope, Send


class BayeuxTransport:
    """Serves all that is under `/bayeux`."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.sessions = Sessions(hub)
        self._http = BayeuxHttp(hub, self.sessions)

    @staticmethod
    def is_path(path: str) -> bool:
        """Whether the path under a site, without a slash at its end, is Bayeux's."""
        return path == PATH or path.startswith(f"{PATH}/") or path in SCRIPT_PATHS

    async def serve(self, path: str, realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        if scope["type"] == "websocket":
            await serve_socket(self._hub, self.sessions, realm, scope, receive, send)
        else:
            await self._http.serve(path, realm, scope, receive, send)
