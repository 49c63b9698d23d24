"""`/healthz`, `/readyz` and `/metrics` of a process: plain ASGI, for operators only (docs/howto/monitor.md)."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from ipaddress import ip_address
from typing import Any

from fanoutcloud.ops.health import Health
from fanoutcloud.ops.metrics import CONTENT_TYPE, Metrics

Scope = MutableMapping[str, Any]  # Any: as in ASGI
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # Any: as in ASGI

OPS_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_TEXT = b"text/plain; charset=utf-8"
#: A request with one of these came through a proxy.
_FORWARDING_HEADERS = {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"}


class OpsEndpoints:
    """Answers for the process. Metrics are shown to whoever has the token, or comes from a private address."""

    def __init__(self, health: Health, metrics: Metrics, *, token: str, trusts_proxies: bool) -> None:
        """`trusts_proxies`: the server puts the real client's address into the scope, also behind a proxy."""
        self._health = health
        self._metrics = metrics
        self._token = token
        self._trusts_proxies = trusts_proxies

    async def serve(self, scope: Scope, send: Send) -> bool:
        """Answer if the path is one of ours and its caller may see it; else return False: there is nothing here."""
        match scope["path"]:
            case "/healthz":
                await _respond(send, 200, b"ok\n")
            case "/readyz":
                problems = self._health.problems
                body = "".join(f"{line}\n" for line in problems) or "ready\n"
                await _respond(send, 503 if problems else 200, body.encode())
            case "/metrics" if self._may_see_metrics(scope):
                await _respond(send, 200, self._metrics.text(), content_type=CONTENT_TYPE)
            case _:
                return False
        return True

    def _may_see_metrics(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"")
        if self._token and hmac.compare_digest(given, b"Bearer " + self._token.encode()):
            return True
        if not self._trusts_proxies and not _FORWARDING_HEADERS.isdisjoint(headers):
            return False  # the address is the proxy's, who knows whose request it is
        return _is_private(scope.get("client"))


def _is_private(client: Any) -> bool:  # Any: as in ASGI
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return False
    return address is not None and (address.is_private or address.is_loopback)


async def _respond(send: Send, status: int, body: bytes, *, content_type: bytes = _TEXT) -> None:
    headers = [
        (b"content-type", content_type),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
