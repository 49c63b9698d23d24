"""Automatic CORS: headers for pages of other origins, where an answer has none of its own. Pure.

Source: GRIP: automatic cross-origin. Any origin is echoed, with credentials: a domain asks for it, and it is off unless
it does.
"""

from fanoutcloud.outbound.messages import Headers

METHODS = b"OPTIONS, HEAD, GET, POST, PUT, DELETE"
MAX_AGE_S = 3600
#: What pages can read without being allowed to (Fetch: CORS-safelisted response headers).
_SIMPLE = frozenset(
    {b"cache-control", b"content-language", b"content-length", b"content-type", b"expires", b"last-modified", b"pragma"}
)


def add_cross_origin(answered: Headers, asked: Headers) -> Headers:
    """Return an answer's headers with those that CORS wants and the answer does not have; `asked` are the request's."""
    present = {name.lower() for name, _ in answered}
    request = {name.lower(): value for name, value in asked}
    exposed = [name for name, _ in answered if _is_exposable(name.lower())]
    wanted = [
        (b"Access-Control-Allow-Methods", request.get(b"access-control-request-method", METHODS)),
        (b"Access-Control-Allow-Headers", request.get(b"access-control-request-headers", b"")),
        (b"Access-Control-Expose-Headers", b", ".join(dict.fromkeys(exposed))),
        (b"Access-Control-Allow-Credentials", b"true"),
        (b"Access-Control-Allow-Origin", request.get(b"origin", b"*")),
        (b"Access-Control-Max-Age", b"%d" % MAX_AGE_S),
    ]
    return answered + [(name, value) for name, value in wanted if value and name.lower() not in present]


def _is_exposable(name: bytes) -> bool:
    return name not in _SIMPLE and not name.startswith((b"access-control-", b"grip-"))
