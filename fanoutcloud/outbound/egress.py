"""The way out through a proxy of the operator's, of the kind that judges where a request may go (Smokescreen, Squid).

The proxy looks names up and judges what it finds; that part of the guard moves there. What can be judged without a
look-up is judged here all the same: the URL by the gate, ports, addresses, and names that the installation denies.

Servers are reached through tunnels (CONNECT, RFC 9110 §9.3.6), plain HTTP too: so `Host`, framing and upgrades stay as
they are, and the proxy never mixes requests of two tenants. Proxies that tunnel to port 443 only are asked for plain
HTTP in absolute form instead (`forwards_plain`, RFC 9112 §3.2.2); they set `Host` as the URL has it.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from fanoutcloud.outbound.addresses import AddressPolicy
from fanoutcloud.outbound.connecting import DEFAULT_CONNECT_LIMITS, ConnectLimits, Connector, timed_out, tls_problem
from fanoutcloud.outbound.errors import Blocked, ConnectFailed, EgressFailed, NotReached, OutboundError
from fanoutcloud.outbound.lists import parse_networks
from fanoutcloud.outbound.messages import Endpoint, Request, Response, Trace
from fanoutcloud.outbound.resolver import Resolver

#: Of the proxy's answer to CONNECT.
MAX_HEAD_BYTES = 16_384
#: Smokescreen names its reason here, also in answers to requests in absolute form.
_REASON_HEADER = b"x-smokescreen-error"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?")
_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)
#: The operator chose it; it is where a private address is expected.
_ANYWHERE = AddressPolicy(allowed=parse_networks(["0.0.0.0/0", "::/0"]))


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """Where the proxy is, and how we tell it who we are. A client certificate is part of `tls`."""

    endpoint: Endpoint
    authorization: bytes = b""  # value of Proxy-Authorization
    forwards_plain: bool = False


def parse_proxy_url(url: str, *, forwards_plain: bool = False) -> EgressProxy:
    """Return the proxy that `http[s]://[USER:PASSWORD@]HOST[:PORT]` names.

    Raises:
        ValueError: it is no such URL. The message repeats nothing of it, since it may hold a password.
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("expected http://HOST:PORT or https://USER:PASSWORD@HOST:PORT")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("expected no path behind host and port")
    authorization = b""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = b"Basic " + b64encode(pair.encode())
    is_tls = parts.scheme == "https"
    return EgressProxy(Endpoint(parts.hostname, port or (443 if is_tls else 80), is_tls), authorization, forwards_plain)


class EgressWay:
    """Reaches servers through the proxy. A `Way`."""

    def __init__(
        self,
        proxy: EgressProxy,
        policy: AddressPolicy,
        resolver: Resolver,
        *,
        tls: ssl.SSLContext,
        proxy_tls: ssl.SSLContext,
        limits: ConnectLimits = DEFAULT_CONNECT_LIMITS,
    ) -> None:
        """`tls` verifies servers, `proxy_tls` the proxy; the latter may hold a client certificate."""
        self._proxy = proxy
        self._policy = policy
        self._to_proxy = Connector(_ANYWHERE, resolver, tls=proxy_tls, limits=limits)
        self._tls = tls
        self._limits = limits

    async def connect(
        self, endpoint: Endpoint, make_protocol: Callable[[], _Protocol], trace: Trace | None = None
    ) -> _Protocol:
        """As `Way` says. Reaching the server through the proxy counts as connecting."""
        trace = trace or Trace()
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        self._policy.judge_endpoint(endpoint)
        try:
            tunnel = await self._reach_proxy()
            if not self._is_forwarded(endpoint):
                await self._ask(tunnel, endpoint)
        finally:
            trace.connect_s = loop.time() - began_at
        try:
            return await self._begin(tunnel, endpoint, make_protocol, trace)
        except BaseException:
            tunnel.abort()
            raise

    def address(self, endpoint: Endpoint, request: Request) -> Request:
        if not self._is_forwarded(endpoint):
            return request
        headers = list(request.headers)
        if self._proxy.authorization:
            headers.append((b"Proxy-Authorization", self._proxy.authorization))
        target = b"http://" + endpoint.authority.encode("ascii") + request.target
        return replace(request, target=target, headers=headers)

    def check_answer(self, endpoint: Endpoint, response: Response) -> None:
        """407 and Smokescreen's header are the proxy's own; of another answer nobody can tell."""
        if not self._is_forwarded(endpoint):
            return
        names = {name.lower() for name, _ in response.headers}
        if response.status == 407 or _REASON_HEADER in names:
            raise _refused(endpoint)

    def _is_forwarded(self, endpoint: Endpoint) -> bool:
        return self._proxy.forwards_plain and not endpoint.is_tls

    async def _reach_proxy(self) -> "_Tunnel":
        try:
            return await self._to_proxy.connect(self._proxy.endpoint, _Tunnel)
        except NotReached as error:
            # Which proxy there is, and how it fails, is the operator's to know.
            raise EgressFailed("the installation's egress proxy can't be reached") from error

    async def _ask(self, tunnel: "_Tunnel", endpoint: Endpoint) -> None:
        """Have the proxy connect to the server."""
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        authority = f"{host}:{endpoint.port}".encode("ascii")
        lines = [b"CONNECT %b HTTP/1.1" % authority, b"Host: %b" % authority]
        if self._proxy.authorization:
            lines.append(b"Proxy-Authorization: %b" % self._proxy.authorization)
        try:
            async with asyncio.timeout(self._limits.connect_s):
                status = await tunnel.ask(b"\r\n".join([*lines, b"", b""]))
            if not 200 <= status < 300:
                raise _verdict(endpoint, status)
        except TimeoutError:
            tunnel.abort()
            raise timed_out(endpoint) from None
        except BaseException:
            tunnel.abort()
            raise

    async def _begin(
        self, tunnel: "_Tunnel", endpoint: Endpoint, make_protocol: Callable[[], _Protocol], trace: Trace
    ) -> _Protocol:
        if not endpoint.is_tls:
            return tunnel.hand_over(make_protocol())
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        try:
            async with asyncio.timeout(self._limits.tls_s):
                secured = await loop.start_tls(tunnel.transport, tunnel, self._tls, server_hostname=endpoint.host)
        except (OSError, ssl.CertificateError) as error:
            raise tls_problem(endpoint, error) from None
        finally:
            trace.tls_s = loop.time() - began_at
        if secured is None:
            raise tls_problem(endpoint, ConnectionResetError())
        tunnel.transport = secured
        return tunnel.hand_over(make_protocol())


class _Tunnel(asyncio.Protocol):
    """The connection to the proxy until what is asked for is at its other end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self._got = b""
        self._status: asyncio.Future[int] | None = None
        self._is_lost = False

    async def ask(self, head: bytes) -> int:
        """Send a head, and return the status of the answer, whose head has come whole and nothing behind it."""
        self._status = asyncio.get_running_loop().create_future()
        if self._is_lost:
            raise EgressFailed("the installation's egress proxy ended the connection")
        self.transport.write(head)
        return await self._status

    def hand_over(self, protocol: _Protocol) -> _Protocol:
        """Have `protocol` read the connection from now on."""
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self._is_lost:
            protocol.connection_lost(None)
        elif self._got:
            protocol.data_received(self._got)
        return protocol

    def abort(self) -> None:
        self.transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        if self._status is None or self._status.done():
            if len(self._got) > MAX_HEAD_BYTES:
                self.abort()  # a server that speaks before it is asked
            return
        head, end, rest = self._got.partition(b"\r\n\r\n")
        if end:
            self._got = rest
            self._resolve(_read_status(head, rest))
        elif len(self._got) > MAX_HEAD_BYTES:
            self._resolve(EgressFailed("the installation's egress proxy answers no HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        self._resolve(EgressFailed("the installation's egress proxy ended the connection"))

    def _resolve(self, outcome: int | OutboundError) -> None:
        if self._status is None or self._status.done():
            return
        if isinstance(outcome, int):
            self._status.set_result(outcome)
        else:
            self._status.set_exception(outcome)


def _read_status(head: bytes, rest: bytes) -> int | OutboundError:
    lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        return EgressFailed("the installation's egress proxy answers no HTTP")
    status = int(match[1])
    if rest and 200 <= status < 300:
        return EgressFailed("the installation's egress proxy sent something behind its answer")
    return status


def _verdict(endpoint: Endpoint, status: int) -> NotReached:
    """Return what a refused CONNECT means. 407 is how Smokescreen refuses, as is 403 for most others."""
    if status < 500:
        return _refused(endpoint)
    if status == 504:
        return timed_out(endpoint)
    return ConnectFailed(f"nothing answers at {endpoint.authority} (the egress proxy says {status})")


def _refused(endpoint: Endpoint) -> Blocked:
    return Blocked(f"the target {endpoint.authority}", "refused by the installation's egress proxy")
