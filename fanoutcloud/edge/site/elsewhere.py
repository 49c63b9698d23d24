"""What the edge asks of whoever serves the paths that are not its own; implemented by `fanoutcloud.grip`."""

from typing import Protocol

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.site.sites import Site


class Elsewhere(Protocol):
    """Serves requests and WebSockets that go to a realm's origins."""

    def find_own_path(self, site: Site, snapshot: RealmSnapshot, scope: Scope) -> str | None:
        """Return the path that the request has at the realm's own transports; None: call `serve`."""

    async def serve(self, site: Site, snapshot: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request or WebSocket, errors included."""
