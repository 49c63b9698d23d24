"""Plain HTTP answers of a realm's site, and the headers that all of them carry."""

import msgspec

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, MethodNotAllowed
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.encoding.messages import error_members

Headers = list[tuple[bytes, bytes]]

#: Any page may read a site: what it may read is decided by tokens, never by cookies. The answers are data, and a site
#: can share the dashboard's host (`/r/REALM`), so no browser may ever run one of them.
SITE_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-robots-tag", b"noindex, nofollow"),
]
_PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
    (b"access-control-allow-headers", b"authorization, cache-control, content-type, last-event-id"),
    (b"access-control-max-age", b"3600"),
]


def headers_for_page(scope: Scope) -> Headers:
    """Return what `SITE_HEADERS` says, for scripts that ask with credentials: those need their own origin named.

    Nothing is opened by that: a site takes no cookies, and a page that knows a token may read it all anyway.
    """
    origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
    if origin is None:
        return SITE_HEADERS
    allowed = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
    return [*allowed, (b"vary", b"origin"), *SITE_HEADERS[1:]]


async def respond(
    send: Send, status: int, body: bytes, *, headers: Headers, site_headers: Headers = SITE_HEADERS
) -> None:
    """Send a whole response."""
    all_headers = [*site_headers, *headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


async def respond_robots(realm: RealmSnapshot, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer `/robots.txt` of a site that no origin serves: there is nothing to index."""
    await respond(send, 200, b"User-agent: *\nDisallow: /\n", headers=[(b"content-type", b"text/plain; charset=utf-8")])


async def respond_preflight(send: Send) -> None:
    """Answer CORS's question (OPTIONS)."""
    await respond(send, 204, b"", headers=_PREFLIGHT_HEADERS)


async def respond_error(send: Send, error: FanoutError, *, site_headers: Headers = SITE_HEADERS) -> None:
    """Answer with the error as JSON: `{"error": {"code", "message", "cure", "field"}}`."""
    headers: Headers = [(b"content-type", b"application/json")]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode()))
    if error.http_status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
        headers.append((b"access-control-expose-headers", b"retry-after"))
    body = msgspec.json.encode({"error": error_members(error)}) + b"\n"
    await respond(send, error.http_status, body, headers=headers, site_headers=site_headers)
