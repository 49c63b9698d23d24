"""Requests and answers of WebSocket-over-HTTP: their headers. Pure.

Source: GRIP: WebSocket-over-HTTP, wire format.
"""

from fanoutcloud.grip.exchange import OriginRequest, OriginResponse
from fanoutcloud.grip.ws_over_http import MEDIA_TYPE
from fanoutcloud.outbound.messages import Headers

#: An answer holds at most this much.
MAX_EVENTS_BYTES = 1_000_000
MIN_INTERVAL_S = 20
MAX_INTERVAL_S = 604_800
MAX_META_BYTES = 16_384

_OURS = frozenset(
    {
        b"accept",
        b"connection",
        b"connection-id",
        b"content-bytes-replayed",
        b"content-length",
        b"content-type",
        b"sec-websocket-extensions",
        b"transfer-encoding",
        b"upgrade",
    }
)
_NOT_FOR_CLIENT = frozenset(
    {
        b"connection",
        b"content-bytes-accepted",
        b"content-length",
        b"content-type",
        b"keep-alive-interval",
        b"sec-websocket-accept",
        b"sec-websocket-extensions",
        b"transfer-encoding",
        b"upgrade",
    }
)
_SET_META = b"set-meta-"


class SocketMeta:
    """What the origin stores with a connection: it comes back with every request."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[bytes, tuple[bytes, bytes]] = {}

    def update(self, headers: Headers) -> None:
        """Store what `Set-Meta-NAME` headers say; an empty value removes. Too much is not stored."""
        for name, value in headers:
            key = name.lower()
            if not key.startswith(_SET_META):
                continue
            self._values.pop(key, None)
            size = sum(len(one) + len(other) for one, other in self._values.values())
            if value and size + len(name) + len(value) <= MAX_META_BYTES:
                self._values[key] = (name[len(_SET_META) :], value)

    @property
    def headers(self) -> Headers:
        return [(b"Meta-" + name, value) for name, value in self._values.values()]


def make_request(
    opening: OriginRequest, connection_id: str, meta: SocketMeta, body: bytes, *, replayed_bytes: int = 0
) -> OriginRequest:
    """Return the request that brings `body` to the origin; `opening` is the client's handshake."""
    passed = [header for header in opening.headers if not _is_ours(header[0].lower())]
    replayed = [(b"Content-Bytes-Replayed", b"%d" % replayed_bytes)] if replayed_bytes else []
    headers = [
        *passed,
        (b"Content-Type", MEDIA_TYPE),
        (b"Accept", MEDIA_TYPE),
        (b"Connection-Id", connection_id.encode()),
        (b"Sec-WebSocket-Extensions", b"grip"),
        *meta.headers,
        *replayed,
    ]
    return OriginRequest(b"POST", opening.target, headers, body)


def _is_ours(name: bytes) -> bool:
    return name in _OURS or name.startswith(b"meta-")


def is_events(response: OriginResponse) -> bool:
    """Whether the answer is one of this protocol."""
    types = [value.strip().lower() for name, value in response.headers if name.lower() == b"content-type"]
    return response.status == 200 and types == [MEDIA_TYPE]


def headers_for_client(headers: Headers) -> Headers:
    """Return the headers of the answer to OPEN that go into the answer to the handshake."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _NOT_FOR_CLIENT and not name.lower().startswith(_SET_META)
    ]


def read_interval(headers: Headers) -> int | None:
    """Return the seconds between empty requests; 0: there are none; None: nothing is said."""
    for name, value in headers:
        if name.lower() == b"keep-alive-interval":
            seconds = int(value) if value.isdigit() and len(value) < 10 else 0
            return min(max(seconds, MIN_INTERVAL_S), MAX_INTERVAL_S) if seconds else 0
    return None


def read_accepted(headers: Headers) -> int | None:
    """Return how many bytes of content the origin took; None: nothing is said, so all of them."""
    for name, value in headers:
        if name.lower() == b"content-bytes-accepted" and value.isdigit() and len(value) < 10:
            return int(value)
    return None
