"""Opens a connection to a server that a tenant named: look up once, judge every address, connect to one of them.

Nothing resolves the name a second time, and the judge is asked again where the socket is made, so that no way leads
around it. No environment variable has a say.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, TypeVar

from fanoutcloud.outbound.addresses import AddressPolicy, is_address
from fanoutcloud.outbound.errors import Blocked, ConnectFailed, ConnectTimedOut, NotReached, TlsFailed
from fanoutcloud.outbound.messages import Endpoint, Request, Response, Trace
from fanoutcloud.outbound.resolver import Resolver

MAX_ADDRESSES_TRIED = 4
_Protocol = TypeVar("_Protocol", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class ConnectLimits:
    """Deadlines in seconds; the name's look-up has its own."""

    connect_s: float = 5.0  # over all addresses that are tried
    tls_s: float = 5.0


class Way(Protocol):
    """How servers are reached: straight, or through an egress proxy."""

    async def connect(
        self, endpoint: Endpoint, make_protocol: Callable[[], _Protocol], trace: Trace | None = None
    ) -> _Protocol:
        """Return the protocol of a new connection; for TLS the handshake is done.

        Raises:
            NotReached: of all kinds; nothing was sent.
        """

    def address(self, endpoint: Endpoint, request: Request) -> Request:
        """Return the request as it goes on such a connection."""

    def check_answer(self, endpoint: Endpoint, response: Response) -> None:
        """Return if the answer is the server's.

        Raises:
            NotReached: it tells that the server was not asked.
        """


def make_tls_context(extra_authorities: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies certificate and name by the system's trust store and a PEM file."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.keylog_filename = None  # type: ignore[assignment] # SSLKEYLOGFILE of the environment must not apply
    context.set_alpn_protocols(["http/1.1"])
    if extra_authorities:
        context.load_verify_locations(cafile=extra_authorities)
    return context


DEFAULT_CONNECT_LIMITS = ConnectLimits()


class Connector:
    """Opens guarded connections for all tenants."""

    def __init__(
        self,
        policy: AddressPolicy,
        resolver: Resolver,
        *,
        tls: ssl.SSLContext,
        limits: ConnectLimits = DEFAULT_CONNECT_LIMITS,
    ) -> None:
        self.policy = policy
        self._resolver = resolver
        self._tls = tls
        self._limits = limits

    async def connect(
        self, endpoint: Endpoint, make_protocol: Callable[[], _Protocol], trace: Trace | None = None
    ) -> _Protocol:
        """As `Way` says. `trace` is told the times, and the address that is connected to."""
        trace = trace or Trace()
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        try:
            addresses = await self._find_addresses(endpoint)
        finally:
            if not is_address(endpoint.host):
                trace.dns_s = loop.time() - began_at
        began_at = loop.time()
        try:
            opened = await self._open_one(endpoint, addresses, trace)
        finally:
            trace.connect_s = loop.time() - began_at
        try:
            return await self._begin(opened, endpoint, make_protocol, trace)
        except BaseException:
            opened.close()
            raise

    def address(self, endpoint: Endpoint, request: Request) -> Request:
        return request

    def check_answer(self, endpoint: Endpoint, response: Response) -> None:
        """Every answer is the server's."""

    async def _find_addresses(self, endpoint: Endpoint) -> list[str]:
        """Return judged addresses. One that is refused refuses the name: mixed answers are how rebinding begins."""
        host = endpoint.host
        self.policy.judge_endpoint(endpoint)
        if is_address(host):
            return [host]
        addresses = await self._resolver.find_addresses(host)
        for address in addresses:
            if (rule := self.policy.find_refusal(address, host=host)) is not None:
                raise Blocked(f"the address of {host}", rule)
        return _alternate(addresses)[:MAX_ADDRESSES_TRIED]

    async def _open_one(self, endpoint: Endpoint, addresses: list[str], trace: Trace) -> socket.socket:
        problem: NotReached = ConnectFailed(f"nothing answers at {endpoint.authority}")
        try:
            async with asyncio.timeout(self._limits.connect_s) as deadline:
                for place, address in enumerate(addresses):
                    trace.address = address
                    try:
                        return await self._open_in_time(address, endpoint, deadline, len(addresses) - place)
                    except OSError as error:  # TimeoutError, too: of this address alone
                        problem = _connect_problem(endpoint, error)
        except TimeoutError:
            raise timed_out(endpoint) from None
        raise problem

    async def _open_in_time(
        self, address: str, endpoint: Endpoint, deadline: asyncio.Timeout, shares: int
    ) -> socket.socket:
        """Open a socket within this address's share of the time that is left."""
        ends_at = deadline.when()
        assert ends_at is not None
        left_s = ends_at - asyncio.get_running_loop().time()
        async with asyncio.timeout(left_s / shares if shares > 1 else None):
            return await self._open(address, endpoint)

    async def _open(self, address: str, endpoint: Endpoint) -> socket.socket:
        """Make the socket: the only place that does."""
        self.policy.judge(address, host=endpoint.host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.settimeout(0)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(opened, (address, endpoint.port))
            if ip_address(opened.getpeername()[0]) != ip_address(address):
                raise Blocked("the address", "not the one that was judged")
        except BaseException:
            opened.close()
            raise
        return opened

    async def _begin(
        self, opened: socket.socket, endpoint: Endpoint, make_protocol: Callable[[], _Protocol], trace: Trace
    ) -> _Protocol:
        loop = asyncio.get_running_loop()
        if not endpoint.is_tls:
            _, protocol = await loop.create_connection(make_protocol, sock=opened)
            return protocol
        began_at = loop.time()
        try:
            async with asyncio.timeout(self._limits.tls_s):
                _, protocol = await loop.create_connection(
                    make_protocol, sock=opened, ssl=self._tls, server_hostname=endpoint.host
                )
            return protocol
        except (OSError, ssl.CertificateError) as error:
            raise tls_problem(endpoint, error) from None
        finally:
            trace.tls_s = loop.time() - began_at


def tls_problem(endpoint: Endpoint, error: Exception) -> TlsFailed:
    """Return what went wrong in a handshake, as the tenant is told."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message or "not valid"
        return TlsFailed(f"the certificate of {endpoint.authority} is not valid: {why}")
    if isinstance(error, TimeoutError):
        return TlsFailed(f"{endpoint.authority} did not answer the TLS handshake in time")
    why = getattr(error, "reason", None) or "the connection ended"
    return TlsFailed(f"{endpoint.authority} does not speak TLS that is accepted: {why}")


def timed_out(endpoint: Endpoint) -> ConnectTimedOut:
    """Return that a server took no connection in time."""
    return ConnectTimedOut(f"nothing answers at {endpoint.authority} (no answer in time)")


def _alternate(addresses: list[str]) -> list[str]:
    """Order addresses so that the families take turns, beginning with the first one's."""
    first_is_v6 = ":" in addresses[0]
    first = [address for address in addresses if (":" in address) == first_is_v6]
    second = [address for address in addresses if (":" in address) != first_is_v6]
    mixed = [one for pair in zip(first, second, strict=False) for one in pair]
    return mixed + first[len(second) :] + second[len(first) :]


def _connect_problem(endpoint: Endpoint, error: OSError) -> NotReached:
    if isinstance(error, TimeoutError):
        return timed_out(endpoint)
    return ConnectFailed(f"nothing answers at {endpoint.authority} (connection refused or network unreachable)")
