"""Guarded connections: what is looked up, judged and connected to. Every connect is watched; none may lead inside."""

import asyncio
import socket
import ssl
from asyncio.selector_events import BaseSelectorEventLoop
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from fanoutcloud.outbound.addresses import AddressPolicy
from fanoutcloud.outbound.client import OutboundClient
from fanoutcloud.outbound.connecting import ConnectLimits, Connector, make_tls_context
from fanoutcloud.outbound.errors import Blocked, ConnectFailed, ConnectTimedOut, NameNotFound, TlsFailed
from fanoutcloud.outbound.messages import Endpoint
from tests.outbound.test_addresses import MALFORMED, TREACHEROUS
from tests.outbound.worlds import LOOPBACK, TENANT, FakeResolver, client_of, get, read
from tests.servers.command import free_port
from tests.servers.origin import Caller, answering, origin_server

STRICT = AddressPolicy()
PUBLIC = "93.184.216.34"


@pytest.fixture(autouse=True)
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that sockets were connected to; those that are not on this machine are refused at once."""
    connected: list[str] = []
    original = BaseSelectorEventLoop.sock_connect

    async def watched(loop: BaseSelectorEventLoop, sock: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address[0])
        if not address[0].startswith("127."):
            raise ConnectionRefusedError
        await original(loop, sock, address)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", watched)
    return connected


async def ask(client: OutboundClient, host: str, *, port: int = 80, is_tls: bool = False) -> bytes:
    return await read(await client.send(TENANT, Endpoint(host, port, is_tls), get()))


@pytest.mark.parametrize("address", [one for one in TREACHEROUS + MALFORMED if one])
async def test_no_connection_is_made_to_a_refused_literal(address: str, attempts: list[str]) -> None:
    async with client_of(policy=STRICT) as client:
        with pytest.raises((Blocked, NameNotFound)):
            await ask(client, address)

    assert attempts == []


@pytest.mark.parametrize("address", TREACHEROUS)
async def test_no_connection_is_made_to_a_name_with_a_refused_address(address: str, attempts: list[str]) -> None:
    for answer in ([address], [PUBLIC, address], [address, PUBLIC], [PUBLIC] * 100 + [address]):
        async with client_of(policy=STRICT, resolver=FakeResolver(a_example=[answer])) as client:
            with pytest.raises(Blocked) as raised:
                await ask(client, "a.example")
            assert str(raised.value).startswith("the address of a.example is not allowed (")

    assert attempts == []


async def test_a_name_is_looked_up_once_for_a_connection(attempts: list[str]) -> None:
    """Rebinding: the second answer would lead inside; nobody asks for it."""
    resolver = FakeResolver(a_example=[[PUBLIC], ["127.0.0.1"]])
    async with client_of(policy=STRICT, resolver=resolver) as client:
        with pytest.raises(ConnectFailed):
            await ask(client, "a.example")
        assert (resolver.looked_up, attempts) == (["a.example"], [PUBLIC])
        with pytest.raises(Blocked):
            await ask(client, "a.example")

    assert attempts == [PUBLIC]


async def test_the_judge_is_asked_again_at_the_socket(attempts: list[str]) -> None:
    """Whoever finds a way past the look-up does not get past the socket."""
    connector = Connector(STRICT, FakeResolver(), tls=make_tls_context())

    with pytest.raises(Blocked):
        await connector._open("127.0.0.1", Endpoint("a.example", 80))

    assert attempts == []


async def test_four_addresses_are_tried_with_the_families_in_turn(attempts: list[str]) -> None:
    answer = ["1.1.1.1", "1.1.1.2", "1.1.1.3", "2606:4700::1", "2606:4700::2", "2606:4700::3"]
    async with client_of(policy=STRICT, resolver=FakeResolver(a_example=[answer])) as client:
        with pytest.raises(ConnectFailed, match=r"nothing answers at a\.example"):
            await ask(client, "a.example")

    assert attempts == ["1.1.1.1", "2606:4700::1", "1.1.1.2", "2606:4700::2"]


async def test_another_address_is_tried_when_one_refuses() -> None:
    async with origin_server(answering(b"ok")) as origin:
        resolver = FakeResolver(a_example=[["127.0.0.9", "127.0.0.1"]])
        async with client_of(resolver=resolver) as client:
            assert await ask(client, "a.example", port=origin.port) == b"ok"


async def test_nothing_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_connect", never)
    limits = ConnectLimits(connect_s=0.05)
    resolver = FakeResolver(a_example=[["127.0.0.1", "127.0.0.2"]])
    async with client_of(connect=limits, resolver=resolver) as client:
        with pytest.raises(ConnectTimedOut):
            await ask(client, "a.example")


async def test_nothing_listens() -> None:
    async with client_of() as client:
        with pytest.raises(ConnectFailed):
            await ask(client, "127.0.0.1", port=free_port())


async def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("SSLKEYLOGFILE", f"{tmp_path}/keys")

    assert make_tls_context().keylog_filename is None
    async with origin_server(answering(b"ok")) as origin, client_of() as client:
        assert await ask(client, "127.0.0.1", port=origin.port) == b"ok"


# -- TLS


class Tls:
    """An authority of the test, and contexts for both sides."""

    def __init__(self) -> None:
        self.authority = trustme.CA()
        self.trusting = make_tls_context()
        self.authority.configure_trust(self.trusting)

    def server(self, *names: str, authority: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (authority or self.authority).issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture
def tls() -> Tls:
    return Tls()


async def test_a_certificate_for_the_name_is_accepted_and_sni_is_sent(tls: Tls) -> None:
    names: list[str | None] = []
    context = tls.server("app.example")
    context.sni_callback = lambda _, name, __: names.append(name)  # type: ignore[assignment, func-returns-value]
    async with origin_server(answering(b"ok"), tls=context) as origin:
        resolver = FakeResolver(app_example=[["127.0.0.1"]])
        async with client_of(tls=tls.trusting, resolver=resolver) as client:
            assert await ask(client, "app.example", port=origin.port, is_tls=True) == b"ok"

    assert names == ["app.example"]


async def test_a_certificate_for_an_address_is_accepted(tls: Tls) -> None:
    context = tls.server("127.0.0.1")
    async with origin_server(answering(b"ok"), tls=context) as origin, client_of(tls=tls.trusting) as client:
        assert await ask(client, "127.0.0.1", port=origin.port, is_tls=True) == b"ok"


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_certificate_of_another_name_or_a_stranger_is_refused(tls: Tls, *, is_known: bool) -> None:
    context = tls.server("other.example") if is_known else tls.server("app.example", authority=trustme.CA())
    async with origin_server(answering(b"ok"), tls=context) as origin:
        resolver = FakeResolver(app_example=[["127.0.0.1"]])
        async with client_of(tls=tls.trusting, resolver=resolver) as client:
            with pytest.raises(TlsFailed, match=r"certificate of app\.example"):
                await ask(client, "app.example", port=origin.port, is_tls=True)
        assert origin.requests == []


async def test_a_certificate_that_has_expired_is_refused(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    tls.authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)
    async with origin_server(answering(b"ok"), tls=context) as origin, client_of(tls=tls.trusting) as client:
        with pytest.raises(TlsFailed, match="expired"):
            await ask(client, "127.0.0.1", port=origin.port, is_tls=True)
    assert origin.requests == []


def test_old_versions_of_tls_and_names_that_do_not_fit_are_never_accepted(tls: Tls) -> None:
    assert tls.trusting.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.trusting.check_hostname
    assert tls.trusting.verify_mode == ssl.CERT_REQUIRED


async def test_a_server_without_tls_is_no_tls_server(tls: Tls) -> None:
    async with origin_server(answering(b"ok")) as origin, client_of(tls=tls.trusting) as client:
        with pytest.raises(TlsFailed):
            await ask(client, "127.0.0.1", port=origin.port, is_tls=True)


async def test_a_handshake_that_does_not_go_on_is_given_up(tls: Tls) -> None:
    async def silent(caller: Caller) -> None:
        await caller.gone()

    connecting = client_of(tls=tls.trusting, connect=ConnectLimits(tls_s=0.1))
    async with origin_server(silent) as origin, connecting as client:
        with pytest.raises(TlsFailed):
            await ask(client, "127.0.0.1", port=origin.port, is_tls=True)
        assert client.pool.lent_count == 0


def test_the_policy_of_tests_lets_only_this_machine_in() -> None:
    assert LOOPBACK.find_refusal("127.0.0.1") is None
    assert LOOPBACK.find_refusal("10.0.0.1") == "private"
