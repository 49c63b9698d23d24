"""Who may open the dashboard's WebSockets: pages of the dashboard itself, and nobody else."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from fanoutcloud.edge.connections.sinks import AsgiApp, Receive, Scope, Send


class SameOriginOnly:
    """Lets a WebSocket through whose Origin is the host that it asks for. Cookies come along from any page."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_same_origin(scope):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4403})


def _is_same_origin(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    name, _ = split_domain_port(host)
    return bool(name) and validate_host(name, settings.ALLOWED_HOSTS) and urlsplit(origin).netloc == host
