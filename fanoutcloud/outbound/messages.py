"""A request to a server and its answer, as the HTTP client takes and gives them."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from fanoutcloud.outbound.errors import AnswerTooLarge

#: Names as they were written; compare them lower-cased.
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server: `host` is a DNS name or an address without brackets."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def authority(self) -> str:
        """Return `host:port`, without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@dataclass(slots=True)
class Request:
    """`headers` hold `Host` and everything end-to-end; framing is the client's business.

    `target` is path and query as they go on the request line. A `body` that is iterated is sent with
    `Content-Length: body_length`, or in chunks when that is None.
    """

    method: bytes
    target: bytes
    headers: Headers
    body: bytes | AsyncIterable[bytes] = b""
    body_length: int | None = None


@dataclass(slots=True)
class Trace:
    """Where an exchange went and what it waited for, in seconds; None: that did not happen.

    A phase that failed has the time until it did. On a connection that had been used before there is no look-up, no
    connecting and no handshake. `address` is empty where an egress proxy looks names up.
    """

    address: str = ""
    is_reused: bool = False
    dns_s: float | None = None
    connect_s: float | None = None  # with what an egress proxy takes to reach the server
    tls_s: float | None = None
    first_byte_s: float | None = None  # from the request's first byte to the answer's


class ResponseBody(Protocol):
    """Pieces of a body as they come. Reading it to its end gives the connection back; `close` ends it before."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes:
        """Return the next piece, not empty.

        Raises:
            BrokenOff, BadAnswer, NoAnswer: the rest will not come.
        """

    def close(self) -> None:
        """Want no more of it. Idempotent; nothing happens after the end."""


@dataclass(slots=True)
class Response:
    """An answer whose head has come. `trailers` are complete when the body has ended.

    `length` is what Content-Length says; None: not known. An answer to HEAD has a length and no body.
    """

    status: int
    reason: bytes
    headers: Headers
    body: ResponseBody
    length: int | None = None
    trailers: Headers = field(default_factory=list)

    async def collect(self, limit_bytes: int) -> bytes:
        """Return the whole body.

        Raises:
            AnswerTooLarge: it is longer than `limit_bytes`; the rest was not read.
            ExchangeFailed: it did not come whole.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self.body:
            size += len(piece)
            if size > limit_bytes:
                self.body.close()
                raise AnswerTooLarge(limit_bytes)
            pieces.append(piece)
        return b"".join(pieces)
