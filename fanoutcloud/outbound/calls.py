"""One whole call to a server that a tenant chose, bounded in every direction: webhooks, proofs of domains, key sets.

Where `client.py` streams, this waits for the end, or for as much of it as anybody wants: after `read_bytes` of a body
the connection is closed, after `total_s` the call has failed, whatever the server is doing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urljoin

from fanoutcloud.outbound.client import Patience
from fanoutcloud.outbound.errors import Blocked, ExchangeFailed, Misdirected, NoAnswer, OutboundError
from fanoutcloud.outbound.gate import Target
from fanoutcloud.outbound.messages import Endpoint, Headers, Request, Response, Trace

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
#: What may be told to a server that another one named. Everything else was meant for the first.
_MAY_WANDER = frozenset({b"accept", b"accept-encoding", b"user-agent"})


class HttpClient(Protocol):
    """Sends one request, as `OutboundClient` does."""

    async def send(
        self,
        tenant: str,
        endpoint: Endpoint,
        request: Request,
        *,
        patience: Patience | None = None,
        trace: Trace | None = None,
    ) -> Response: ...


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Times in seconds, sizes in bytes."""

    head_s: float = 10.0
    total_s: float = 15.0  # with everything: look-ups, connecting, redirects, the body
    read_bytes: int = 65_536  # then the connection is closed; what was read counts
    kept_bytes: int = 4_096
    redirects: int = 0


DEFAULT_CALL_LIMITS = CallLimits()


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent. `Host` is not among the headers: it is the target's."""

    target: Target
    method: bytes = b"POST"
    headers: Headers = field(default_factory=list)
    body: bytes = b""


@dataclass(slots=True)
class CallRecord:
    """What became of a call. Either there is a `status`, or an `error`.

    A body that ends early, or not at all, does not change what the status says: `body_problem` tells of it.
    """

    trace: Trace
    status: int | None = None
    headers: Headers = field(default_factory=list)
    body: bytes = b""  # the first `kept_bytes`
    body_bytes: int = 0  # as many as were read
    is_body_whole: bool = False
    body_problem: str = ""
    head_s: float | None = None  # from the beginning to the head of the last answer
    total_s: float = 0.0
    hops: list[str] = field(default_factory=list)  # URLs that redirects led to
    error: OutboundError | None = None
    began_at: float = 0.0  # by the event loop's clock

    def header(self, name: bytes) -> bytes | None:
        """Return the first header of this name, which is given in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


async def perform(
    client: HttpClient,
    call: Call,
    *,
    tenant: str,
    read_target: Callable[[str], Target] | None = None,
    limits: CallLimits = DEFAULT_CALL_LIMITS,
) -> CallRecord:
    """Make a call. What goes wrong on the way out is in the record; nothing of it is raised.

    Redirects are followed where `limits.redirects` says so: every place is read by `read_target`, which is the gate,
    and then looked up and judged like the first. `https` never leads to `http`. Cancelling ends the connection.
    """
    loop = asyncio.get_running_loop()
    record = CallRecord(Trace(), began_at=loop.time())
    try:
        async with asyncio.timeout(limits.total_s):
            await _follow(client, call, record, tenant=tenant, read_target=read_target, limits=limits)
    except TimeoutError:
        if record.status is None:
            record.error = NoAnswer(f"no answer within {limits.total_s:g} s")
        else:
            record.body_problem = f"the rest of the body did not come within {limits.total_s:g} s"
    except OutboundError as error:
        record.status, record.error = None, error
    record.total_s = loop.time() - record.began_at
    return record


async def _follow(
    client: HttpClient,
    call: Call,
    record: CallRecord,
    *,
    tenant: str,
    read_target: Callable[[str], Target] | None,
    limits: CallLimits,
) -> None:
    for hop in range(limits.redirects + 1):
        response = await _send(client, call, record, tenant=tenant, limits=limits)
        if not limits.redirects or response.status not in REDIRECTS or read_target is None:
            await _read_body(response, record, limits)
            return
        response.body.close()
        if hop == limits.redirects:
            raise Misdirected(f"more than {limits.redirects} redirects")
        call = _redirected(call, response, read_target)
        record.hops.append(call.target.url)
        record.status, record.headers, record.head_s, record.trace = None, [], None, Trace()


async def _send(client: HttpClient, call: Call, record: CallRecord, *, tenant: str, limits: CallLimits) -> Response:
    endpoint = call.target.endpoint
    headers = [(b"Host", endpoint.authority.encode("ascii")), *call.headers]
    request = Request(call.method, call.target.path.encode("ascii"), headers, call.body)
    patience = Patience(head_s=limits.head_s if limits.head_s < limits.total_s else None, idle_s=limits.total_s)
    response = await client.send(tenant, endpoint, request, patience=patience, trace=record.trace)
    record.status, record.headers = response.status, response.headers
    record.head_s = asyncio.get_running_loop().time() - record.began_at
    return response


async def _read_body(response: Response, record: CallRecord, limits: CallLimits) -> None:
    kept: list[bytes] = []
    try:
        async for piece in response.body:
            if record.body_bytes < limits.kept_bytes:
                kept.append(piece[: limits.kept_bytes - record.body_bytes])
            record.body_bytes += len(piece)
            if record.body_bytes > limits.read_bytes:
                record.body_problem = f"more than {limits.read_bytes:,} bytes; the rest was not read"
                return
        record.is_body_whole = True
    except ExchangeFailed as problem:
        record.body_problem = str(problem)
    finally:
        record.body = b"".join(kept)
        response.body.close()


def _redirected(call: Call, response: Response, read_target: Callable[[str], Target]) -> Call:
    """Return the call as a redirect wants it.

    Raises:
        Misdirected: it does not say where, or wants a request that is not sent there.
        Blocked: the gate does not let the place through.
    """
    places = [value for name, value in response.headers if name.lower() == b"location"]
    if len(places) != 1:
        raise Misdirected("a redirect without one Location")
    try:
        target = read_target(_join(call.target.url, places[0]))
    except Blocked as blocked:
        raise Blocked("the place of the redirect", blocked.rule) from None
    before = call.target.endpoint
    if before.is_tls and not target.endpoint.is_tls:
        raise Misdirected("a redirect from https to http")
    moved = replace(call, target=target)
    if target.endpoint != before:
        if response.status in _KEEPS_METHOD and call.body:
            raise Misdirected(f"a redirect ({response.status}) that would have the body sent to another server")
        moved = replace(moved, headers=[one for one in call.headers if one[0].lower() in _MAY_WANDER])
    if response.status not in _KEEPS_METHOD and call.method != b"HEAD":
        headers = [one for one in moved.headers if not one[0].lower().startswith(b"content-")]
        moved = replace(moved, method=b"GET", body=b"", headers=headers)
    return moved


def _join(base: str, place: bytes) -> str:
    """Return where a Location leads. What a parser would take out unseen is left to the gate, which refuses it."""
    text = place.decode("latin-1")
    if not text.isascii() or any(character <= " " or character in "\\\x7f" for character in text):
        raise Blocked("the place of the redirect", "a URL holds no blanks, control characters or backslashes")
    return urljoin(base, text)
