"""The way out through a proxy: real ones that do their work, and one of the test's that does not."""

import asyncio
import ssl
from asyncio.selector_events import BaseSelectorEventLoop
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from fanoutcloud.outbound.addresses import AddressPolicy
from fanoutcloud.outbound.client import OutboundClient, Upgraded
from fanoutcloud.outbound.connecting import ConnectLimits, make_tls_context
from fanoutcloud.outbound.egress import EgressProxy, EgressWay, parse_proxy_url
from fanoutcloud.outbound.errors import (
    Blocked,
    ConnectFailed,
    ConnectTimedOut,
    EgressFailed,
    NotReached,
    OutboundError,
    TlsFailed,
)
from fanoutcloud.outbound.lists import parse_targets
from fanoutcloud.outbound.messages import Endpoint, Request, Trace
from tests.outbound.worlds import TENANT, FakeResolver, get, read
from tests.servers.command import free_port
from tests.servers.egress_proxy import find_tinyproxy, running_proxy_py, running_tinyproxy
from tests.servers.origin import Caller, Script, answering, origin_server

CREDENTIALS = "us:pass word"
BASIC = b"Basic " + b64encode(CREDENTIALS.encode())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def going_through(
    proxy: EgressProxy,
    *,
    authority: trustme.CA | None = None,
    policy: AddressPolicy | None = None,
    limits: ConnectLimits = ConnectLimits(connect_s=5.0, tls_s=5.0),  # noqa: B008 - frozen
) -> AsyncIterator[OutboundClient]:
    tls = make_tls_context()
    if authority is not None:
        authority.configure_trust(tls)
    resolver = FakeResolver(proxy_example=[["127.0.0.1"]])
    way = EgressWay(proxy, policy or AddressPolicy(), resolver, tls=tls, proxy_tls=tls, limits=limits)
    client = OutboundClient(way)
    try:
        yield client
    finally:
        client.close()
        assert resolver.looked_up in ([], ["proxy.example"] * len(resolver.looked_up)), "the proxy looks names up"


def at(port: int, *, authorization: bytes = BASIC, forwards_plain: bool = False, is_tls: bool = False) -> EgressProxy:
    return EgressProxy(Endpoint("proxy.example", port, is_tls), authorization, forwards_plain)


def server_tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


# -- real proxies


@pytest.fixture(scope="module")
def proxy_py(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running_proxy_py(tmp_path_factory.mktemp("proxy"), "--basic-auth", CREDENTIALS) as port:
        yield port


@pytest.mark.parametrize("forwards_plain", [False, True])
async def test_plain_http_goes_through_a_real_proxy(proxy_py: int, *, forwards_plain: bool) -> None:
    proxy = at(proxy_py, forwards_plain=forwards_plain)
    async with origin_server(answering(b"ok")) as origin, going_through(proxy) as client:
        request = Request(b"POST", b"/a?b=c", [(b"Host", f"localhost:{origin.port}".encode())], b"{}")
        for _ in range(2):
            trace = Trace()
            response = await client.send(TENANT, Endpoint("localhost", origin.port), request, trace=trace)
            assert await read(response) == b"ok"

    assert [(seen.method, seen.target, seen.body) for seen in origin.requests] == [("POST", "/a?b=c", b"{}")] * 2
    assert origin.requests[0].header("proxy-authorization") is None
    assert (trace.address, trace.dns_s) == ("", None)


async def test_tls_goes_through_a_real_proxy_to_the_servers_own_certificate(
    proxy_py: int, authority: trustme.CA
) -> None:
    async with origin_server(answering(b"ok"), tls=server_tls(authority, "localhost")) as origin:
        async with going_through(at(proxy_py), authority=authority) as client:
            trace = Trace()
            endpoint = Endpoint("localhost", origin.port, is_tls=True)
            assert await read(await client.send(TENANT, endpoint, get(), trace=trace)) == b"ok"
            assert trace.tls_s is not None
            assert await read(await client.send(TENANT, endpoint, get(), trace=trace)) == b"ok"
            assert trace.is_reused
        async with going_through(at(proxy_py)) as suspicious:
            with pytest.raises(TlsFailed, match="certificate of localhost"):
                await suspicious.send(TENANT, endpoint, get())


async def test_a_switch_of_protocols_goes_through_a_real_proxy(proxy_py: int) -> None:
    async def switching(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nearly")
        await caller.gone()

    async with origin_server(switching) as origin, going_through(at(proxy_py)) as client:
        upgraded = await client.upgrade(TENANT, Endpoint("localhost", origin.port), get())
        assert isinstance(upgraded, Upgraded)
        upgraded.close()


async def test_a_real_proxy_wants_to_know_who_asks(proxy_py: int) -> None:
    async with origin_server(answering(b"ok")) as origin:
        for forwards_plain in (False, True):
            proxy = at(proxy_py, authorization=b"", forwards_plain=forwards_plain)
            async with going_through(proxy) as client:
                with pytest.raises(Blocked, match="egress proxy"):
                    await client.send(TENANT, Endpoint("localhost", origin.port), get())
    assert origin.requests == []


async def test_tinyproxy_is_gone_through_and_its_filter_heard(tmp_path: Path, authority: trustme.CA) -> None:
    if find_tinyproxy() is None:
        pytest.skip("tinyproxy is not installed")
    (tmp_path / "filter").write_text("^denied\\.example$\n")
    rules = (f'Filter "{tmp_path}/filter"', "FilterExtended On")
    tls = server_tls(authority, "localhost")
    async with origin_server(answering(b"ok")) as plain, origin_server(answering(b"ok"), tls=tls) as secured:
        with running_tinyproxy(tmp_path, *rules) as port:
            async with going_through(at(port, authorization=b""), authority=authority) as client:
                for endpoint in (Endpoint("localhost", plain.port), Endpoint("localhost", secured.port, is_tls=True)):
                    assert await read(await client.send(TENANT, endpoint, get())) == b"ok"
                with pytest.raises(Blocked, match="egress proxy"):
                    await client.send(TENANT, Endpoint("denied.example", 443, is_tls=True), get())


async def test_only_the_proxy_is_connected_to(proxy_py: int, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[Any] = []
    original = BaseSelectorEventLoop.sock_connect

    async def watched(loop: BaseSelectorEventLoop, sock: Any, address: Any) -> None:
        connected.append(address)
        await original(loop, sock, address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", watched)
    async with origin_server(answering(b"ok")) as origin, going_through(at(proxy_py)) as client:
        await read(await client.send(TENANT, Endpoint("localhost", origin.port), get()))

    assert connected == [("127.0.0.1", proxy_py)]


# -- what is judged here all the same


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1"]
)
async def test_addresses_are_judged_before_the_proxy_is_asked(host: str) -> None:
    async with origin_server(answering()) as proxy, going_through(at(proxy.port)) as client:
        with pytest.raises(Blocked):
            await client.send(TENANT, Endpoint(host, 80), get())

    assert proxy.connections == 0


async def test_denied_names_and_ports_are_not_asked_for() -> None:
    denied = parse_targets(["*.rival.example"]).names
    policy = AddressPolicy(denied_names=denied, ports=(80, 443))
    async with origin_server(answering()) as proxy, going_through(at(proxy.port), policy=policy) as client:
        for endpoint in (Endpoint("www.rival.example", 443, is_tls=True), Endpoint("app.example", 25)):
            with pytest.raises(Blocked):
                await client.send(TENANT, endpoint, get())

    assert proxy.connections == 0


# -- proxies that do not do their work


async def answer_connect(caller: Caller, answer: bytes) -> None:
    await caller.head()
    caller.send(answer)
    await caller.gone()


def says(answer: bytes) -> Script:
    async def script(caller: Caller) -> None:
        await answer_connect(caller, answer)

    return script


async def silent(caller: Caller) -> None:
    await caller.gone()


async def leaving(caller: Caller) -> None:
    caller.reset()


OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (says(b"HTTP/1.1 407 Proxy Authentication Required\r\nX-Smokescreen-Error: no\r\n\r\n"), Blocked),
        (says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nno!!!"), Blocked),
        (says(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"), ConnectFailed),
        (says(b"HTTP/1.1 504 Gateway Timeout\r\n\r\n"), ConnectTimedOut),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n"), NotReached),
        (says(OK + b"early"), EgressFailed),
        (says(b"SSH-2.0-OpenSSH\r\n\r\n"), EgressFailed),
        (says(b"HTTP/2 200\r\n\r\n"), EgressFailed),
        (says(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20_000), EgressFailed),
        (leaving, EgressFailed),
        (silent, ConnectTimedOut),
    ],
)
@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_proxy_that_refuses_or_fails_is_told_apart_from_the_server(
    script: Script, error: type[OutboundError], *, is_tls: bool
) -> None:
    wait_s = 0.2 if script is silent else 5.0  # nobody waits for the others
    limits = ConnectLimits(connect_s=wait_s, tls_s=wait_s)
    async with origin_server(script) as proxy, going_through(at(proxy.port), limits=limits) as client:
        with pytest.raises(error) as raised:
            await client.send(TENANT, Endpoint("app.example", 443 if is_tls else 80, is_tls), get())
        assert client.pool.lent_count == 0

    assert "proxy.example" not in str(raised.value)


async def test_a_proxy_that_is_down_is_no_fault_of_the_servers() -> None:
    async with going_through(at(free_port())) as client:
        with pytest.raises(EgressFailed, match="egress proxy can't be reached"):
            await client.send(TENANT, Endpoint("app.example", 443, is_tls=True), get())


@pytest.mark.parametrize("headers", [["X-Smokescreen-Error: host is not allowed"], ["Proxy-Authenticate: Basic"]])
async def test_a_refusal_in_absolute_form_is_the_proxys(headers: list[str]) -> None:
    refusing = answering(b"no", status="407 Proxy Authentication Required", headers=headers)
    async with origin_server(refusing) as proxy, going_through(at(proxy.port, forwards_plain=True)) as client:
        with pytest.raises(Blocked, match="egress proxy"):
            await client.send(TENANT, Endpoint("app.example", 80), get())
        assert client.pool.lent_count == 0
        assert proxy.requests[0].target == "http://app.example/"


async def test_what_a_server_says_before_the_handshake_ends_nothing_but_the_call(authority: trustme.CA) -> None:
    """The tunnel is there, and what is at its other end speaks no TLS."""

    async def confused(caller: Caller) -> None:
        await caller.head()
        caller.send(OK)
        await caller.reader.read(100)
        caller.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000)

    async with origin_server(confused) as proxy, going_through(at(proxy.port), authority=authority) as client:
        with pytest.raises(TlsFailed):
            await client.send(TENANT, Endpoint("app.example", 443, is_tls=True), get())


def in_turn(inner: Callable[[Caller], Any]) -> Script:
    async def script(caller: Caller) -> None:
        await caller.head()
        caller.send(OK)
        await inner(caller)

    return script


async def test_tls_to_the_proxy_shows_our_certificate(authority: trustme.CA) -> None:
    """A tunnel inside of TLS: the proxy's certificate is verified, ours is asked for."""
    context = server_tls(authority, "proxy.example")
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    proxy_tls = make_tls_context()
    authority.configure_trust(proxy_tls)
    async with origin_server(in_turn(answering(b"ok")), tls=context) as proxy:
        resolver = FakeResolver(proxy_example=[["127.0.0.1"]])
        endpoint = at(proxy.port, is_tls=True)
        way = EgressWay(endpoint, AddressPolicy(), resolver, tls=make_tls_context(), proxy_tls=proxy_tls)
        client = OutboundClient(way)
        with pytest.raises(OutboundError):  # without a certificate
            await client.send(TENANT, Endpoint("app.example", 80), get())
        authority.issue_cert("edge.example").configure_cert(proxy_tls)
        assert await read(await client.send(TENANT, Endpoint("app.example", 80), get())) == b"ok"
        client.close()


async def test_tls_within_tls(authority: trustme.CA) -> None:
    """The server's handshake runs inside the proxy's: what real proxies of this kind are asked for."""
    inside = server_tls(authority, "app.example")

    async def relaying(caller: Caller) -> None:
        await caller.head()
        caller.send(OK)
        await caller.writer.drain()
        reader, writer = await asyncio.open_connection("127.0.0.1", secured.port)
        await asyncio.wait(
            [asyncio.ensure_future(pump(caller.reader, writer)), asyncio.ensure_future(pump(reader, caller.writer))]
        )

    outside = server_tls(authority, "proxy.example")
    async with (
        origin_server(answering(b"ok"), tls=inside) as secured,
        origin_server(relaying, tls=outside) as proxy,
        going_through(at(proxy.port, is_tls=True), authority=authority) as client,
    ):
        assert await read(await client.send(TENANT, Endpoint("app.example", 443, is_tls=True), get())) == b"ok"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


# -- its URL


def test_the_proxys_url_is_read() -> None:
    assert parse_proxy_url("http://10.0.0.1:3128") == EgressProxy(Endpoint("10.0.0.1", 3128))
    proxy = parse_proxy_url("https://us:pass%20word@Proxy.example/", forwards_plain=True)
    assert proxy == EgressProxy(Endpoint("proxy.example", 443, is_tls=True), BASIC, forwards_plain=True)
