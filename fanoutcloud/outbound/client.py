"""The HTTP client for servers that tenants choose. Knows nothing of realms, GRIP or webhooks.

Speaks HTTP/1.1, follows no redirect, keeps no cookie, decompresses nothing, reads no environment variable.
"""

import asyncio
import re
from dataclasses import dataclass
from functools import lru_cache

from fanoutcloud.outbound.connecting import Way
from fanoutcloud.outbound.connection import HttpConnection, HttpExchange
from fanoutcloud.outbound.errors import BrokenOff
from fanoutcloud.outbound.messages import Endpoint, Request, Response, Trace
from fanoutcloud.outbound.pool import ConnectionPool, PoolLimits

#: RFC 9110 §9.2.2: sent twice, they do what they do once.
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})
_HAS_BODY = frozenset({b"POST", b"PUT", b"PATCH"})
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take, in seconds."""

    head_s: float | None = 60.0  # from the request's end to the answer's head; None: whoever calls has a deadline
    idle_s: float = 120.0  # between two pieces of a body, either way


DEFAULT_PATIENCE = Patience()
DEFAULT_POOL_LIMITS = PoolLimits()


@dataclass(slots=True)
class Upgraded:
    """A connection that speaks another protocol now: ours alone, with what came behind the 101."""

    response: Response
    connection: HttpConnection
    early: bytes

    def take(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Have `protocol` read the connection from now on; `early` is for it, too. Ending it is up to the taker."""
        return self.connection.leave(protocol)

    def close(self) -> None:
        """End a connection that nobody has taken."""
        self.connection.finish(is_reusable=False)


class OutboundClient:
    """Sends requests for tenants. One per process; lives on one event loop."""

    def __init__(
        self,
        way: Way,
        *,
        limits: PoolLimits = DEFAULT_POOL_LIMITS,
        patience: Patience = DEFAULT_PATIENCE,
    ) -> None:
        self._way = way
        self.pool = ConnectionPool(way.connect, limits)
        self._patience = patience

    async def send(
        self,
        tenant: str,
        endpoint: Endpoint,
        request: Request,
        *,
        patience: Patience | None = None,
        trace: Trace | None = None,
    ) -> Response:
        """Return the server's answer as soon as its head has come. Read or close its body.

        A request is repeated by itself only if a connection that had been used before ended without any answer, and
        if that can do no harm. `trace` is told where the time went, also when this raises.

        Raises:
            NotReached: nothing was sent.
            ExchangeFailed: something may have been.
        """
        patience, trace = patience or self._patience, trace or Trace()
        addressed = self._way.address(endpoint, request)
        head = encode_head(addressed)
        may_repeat = request.method in _IDEMPOTENT and isinstance(request.body, bytes)
        connection = await self.pool.lend((tenant, endpoint), trace, is_repeatable=may_repeat)
        exchange = HttpExchange(connection, addressed, idle_s=patience.idle_s, trace=trace)
        try:
            return self._checked(endpoint, await exchange.run(head, head_s=patience.head_s))
        except BrokenOff:
            if not (trace.is_reused and may_repeat) or exchange.has_answer_begun:
                raise
        trace.is_reused = False
        connection = await self.pool.open((tenant, endpoint), trace)
        exchange = HttpExchange(connection, addressed, idle_s=patience.idle_s, trace=trace)
        return self._checked(endpoint, await exchange.run(head, head_s=patience.head_s))

    async def upgrade(
        self, tenant: str, endpoint: Endpoint, request: Request, *, patience: Patience | None = None
    ) -> Upgraded | Response:
        """Send a request to switch protocols on a connection of its own; return what the server switched to, or how it
        refused.

        Raises:
            NotReached, ExchangeFailed: as above.
        """
        patience = patience or self._patience
        addressed = self._way.address(endpoint, request)
        connection = await self.pool.open((tenant, endpoint), Trace())
        exchange = HttpExchange(connection, addressed, idle_s=patience.idle_s, upgrades=True)
        response = self._checked(endpoint, await exchange.run(encode_head(addressed), head_s=patience.head_s))
        if response.status != 101:
            return response
        return Upgraded(response, connection, exchange.left_over)

    def _checked(self, endpoint: Endpoint, response: Response) -> Response:
        try:
            self._way.check_answer(endpoint, response)
        except BaseException:
            response.body.close()
            raise
        return response

    def close(self) -> None:
        """Close idle connections."""
        self.pool.close()


@lru_cache(maxsize=1_024)
def _is_sendable(name: bytes) -> bool:
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _FRAMING


def encode_head(request: Request) -> bytes:
    """Return request line and headers, with the framing that follows from the body.

    Raises:
        ValueError: method, target or a header can't be written; nothing is repaired here.
    """
    if not _TOKEN.fullmatch(request.method):
        raise ValueError("the method is no token")
    if not _TARGET.fullmatch(request.target):
        raise ValueError("the target holds blanks or control characters")
    lines = [b"%b %b HTTP/1.1\r\n" % (request.method, request.target)]
    for name, value in request.headers:
        if not _is_sendable(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name[:40]!r} can't be sent")
        lines.append(b"%b: %b\r\n" % (name, value))
    if isinstance(request.body, bytes):
        if request.body or request.method in _HAS_BODY:
            lines.append(b"Content-Length: %d\r\n" % len(request.body))
    elif request.body_length is None:
        lines.append(b"Transfer-Encoding: chunked\r\n")
    else:
        lines.append(b"Content-Length: %d\r\n" % request.body_length)
    lines.append(b"\r\n")
    return b"".join(lines)
