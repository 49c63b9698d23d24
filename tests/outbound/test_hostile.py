"""Every way we know to lead a guarded call inside, from the text to the socket. Each connect of the process is watched.

Names are looked up at a name server of the test, over the wire. Nothing leaves this machine: what would be connected to
is written down and refused.
"""

# ruff: noqa: RUF001 - digits that look like others are what this is about

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest

from fanoutcloud.outbound.addresses import METADATA, RULES_V4, RULES_V6, AddressPolicy
from fanoutcloud.outbound.calls import Call, CallLimits, perform
from fanoutcloud.outbound.client import OutboundClient
from fanoutcloud.outbound.connecting import Connector, make_tls_context
from fanoutcloud.outbound.errors import Blocked, ConnectFailed, NameNotFound, OutboundError
from fanoutcloud.outbound.gate import GateRules, parse_url
from fanoutcloud.outbound.lists import parse_networks, parse_ports, parse_targets
from fanoutcloud.outbound.resolver import DnsResolver
from tests.outbound.test_addresses import TREACHEROUS
from tests.outbound.test_gate import BAD
from tests.outbound.worlds import TENANT
from tests.servers.name_server import AAAA, A, NameServer, address, ipv4, running_name_server

RULES = GateRules(ports=parse_ports(["80", "443", "8080", "8443"]), own_hosts=("dashboard.example.net",))
POLICY = AddressPolicy(ports=RULES.ports)
LIMITS = CallLimits(head_s=2.0, total_s=4.0)
PUBLIC = "93.184.216.34"


class Watch:
    """An audit hook over all sockets of the process; hooks can't be taken out again, so there is one for good."""

    def __init__(self) -> None:
        self.is_on = False
        self.connected: list[str] = []
        sys.addaudithook(self._on_event)

    def _on_event(self, event: str, args: tuple[Any, ...]) -> None:
        if self.is_on and event == "socket.connect":
            self.connected.append(args[1][0])
            raise ConnectionRefusedError("nothing leaves this machine")


WATCH = Watch()


@pytest.fixture
def connected() -> Iterator[list[str]]:
    """The addresses that sockets were to be connected to."""
    WATCH.connected.clear()
    WATCH.is_on = True
    try:
        yield WATCH.connected
    finally:
        WATCH.is_on = False


@pytest.fixture(scope="module")
def names() -> Iterator[tuple[NameServer, int]]:
    with running_name_server() as running:
        yield running


@asynccontextmanager
async def calling(port: int, *, policy: AddressPolicy = POLICY) -> AsyncIterator[OutboundClient]:
    resolver = DnsResolver([f"127.0.0.1:{port}"])
    client = OutboundClient(Connector(policy, resolver, tls=make_tls_context()))
    try:
        yield client
    finally:
        client.close()
        await resolver.close()


async def call(client: OutboundClient, url: str, rules: GateRules = RULES) -> OutboundError | None:
    """Do what the product does with a tenant's URL, from the text on; return what went wrong."""
    try:
        target = parse_url(url, rules)
    except Blocked as refused:
        return refused
    return (await perform(client, Call(target), tenant=TENANT, limits=LIMITS)).error


async def find_leaks(client: OutboundClient, urls: Iterable[str]) -> list[str]:
    """Return the URLs that are neither refused nor without an address."""
    return [url for url in urls if not isinstance(await call(client, url), Blocked | NameNotFound)]


# -- literals


def notations(number: int) -> Iterator[str]:
    """Yield an IPv4 address as programs of all kinds have read it, as a host of a URL."""
    plain = str(IPv4Address(number))
    a, b, c, d = number.to_bytes(4, "big")
    yield from (plain, f"{plain}.", f"{number}", f"0x{number:x}", f"0X{number:08X}", f"0{number:o}", f"{number}.")
    yield from (f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}", f"{a}.{number & 0xFFFFFF}")
    yield from (f"{a}.{b}.{number & 0xFFFF}", f"{a:03}.{b:03}.{c:03}.{d:03}", f"{a + 256}.{b}.{c}.{d}", f"{plain}.0")
    yield from (plain.replace(".", "。"), plain.replace(".", "．"), plain.replace(".", "｡"), plain.replace(".", "%2e"))
    yield plain.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    yield plain.translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨"))
    yield plain.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    yield "".join(f"%{ord(character):02x}" for character in plain)
    yield from (
        f"good.example@{plain}",
        f"{plain}:80@good.example",
        f"{plain}\\.good.example",
        f"{plain}%00.good.example",
    )
    yield from (f"[{plain}]", f"[::ffff:{plain}]", f"[::{plain}]", f"[::ffff:0:{plain}]", f"[64:ff9b::{plain}]")
    yield from (f"[::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}]", f"[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]")
    yield from (f"[0:0:0:0:0:ffff:{plain}]", f"[::ffff:{plain}%25eth0]", f"[64:ff9b:1::{plain}]")


def forbidden_v4() -> list[int]:
    ends = {int(one) for rule in RULES_V4 for one in (rule.network[0], rule.network[-1])}
    return sorted(ends | {int(one) for one in METADATA if isinstance(one, IPv4Address)})


def forbidden_v6() -> list[IPv6Address]:
    ends = {
        one
        for rule in RULES_V6
        for one in (rule.network[0], rule.network[-1], rule.network[1 % rule.network.num_addresses])
    }
    more = (IPv6Address(text) for text in TREACHEROUS if ":" in text)
    return sorted({one for one in (*ends, *more) if isinstance(one, IPv6Address)})


def hosts_v6(one: IPv6Address) -> Iterator[str]:
    yield from (f"[{one}]", f"[{one.exploded}]", f"[{str(one).upper()}]", f"[{one}%25eth0]", f"[{one}%1]", f"{one}")


async def test_no_notation_of_a_forbidden_address_is_connected_to(
    names: tuple[NameServer, int], connected: list[str]
) -> None:
    hosts = [host for number in forbidden_v4() for host in notations(number)]
    hosts += [host for one in forbidden_v6() for host in hosts_v6(one)]
    async with calling(names[1]) as client:
        leaks = await find_leaks(client, (f"{scheme}://{host}/" for scheme in ("http", "https") for host in hosts))

    assert len(hosts) > 1000
    assert leaks == connected == []


async def test_no_url_that_the_gate_should_refuse_is_connected_to(
    names: tuple[NameServer, int], connected: list[str]
) -> None:
    extra = [
        f"http://{PUBLIC}:{port}/" for port in (0, 1, 21, 22, 25, 53, 110, 143, 389, 3306, 5432, 6379, 9200, 11211)
    ]
    extra += [
        f"{scheme}://{PUBLIC}/" for scheme in ("ftp", "ws", "wss", "gopher", "dict", "file", "ldap", "smb", "jar")
    ]
    async with calling(names[1]) as client:
        leaks = await find_leaks(client, BAD + extra)

    assert leaks == connected == []


# -- names


async def test_no_name_with_a_forbidden_address_is_connected_to(
    names: tuple[NameServer, int], connected: list[str]
) -> None:
    server, port = names
    public = address(PUBLIC)
    cases = 0
    async with calling(port) as client:
        for place, one in enumerate([*map(IPv4Address, forbidden_v4()), *forbidden_v6()]):
            for way, answer in enumerate(([one], [PUBLIC, one], [one, PUBLIC], [PUBLIC] * 20 + [one])):
                name = f"n{place}.w{way}.example.com"
                server.records[name, A], server.records[name, AAAA] = [], []
                for kind, data in (address(str(text)) for text in answer):
                    records = server.records[name, kind]
                    assert records is not None
                    records.append(data)
                server.aliases |= {f"alias.{name}": f"b.alias.{name}", f"b.alias.{name}": name}
                assert await find_leaks(client, [f"http://{name}/", f"https://alias.{name}/"]) == [], (one, answer)
                cases += 2
    assert public[0] == A
    assert cases > 500
    assert connected == []


@pytest.mark.parametrize("kept_first", [True, False])
async def test_an_answer_that_changes_leads_nowhere(
    names: tuple[NameServer, int], connected: list[str], *, kept_first: bool
) -> None:
    """Rebinding: what is connected to was judged, and what is looked up again is judged again."""
    server, port = names
    inside = ["127.0.0.1", "169.254.169.254", "10.0.0.1", "192.168.1.1", "100.100.100.200"]
    for number, place in enumerate(inside):
        name = f"turn{number}{kept_first}.example.com".lower()
        turns = [[ipv4(PUBLIC)], [ipv4(place)]] * 5
        server.turns[name, A] = turns if kept_first else turns[1:]
        server.records[name, AAAA] = []
        async with calling(port) as client:
            outcomes = [await call(client, f"http://{name}/") for _ in range(8)]
        expected = [ConnectFailed, Blocked] * 4 if kept_first else [Blocked, ConnectFailed] * 4
        assert [type(outcome) for outcome in outcomes] == expected

    assert connected == [PUBLIC] * (4 * len(inside))


async def test_aliases_without_end_have_no_address(names: tuple[NameServer, int], connected: list[str]) -> None:
    server, port = names
    server.aliases |= {"ring.example.com": "gnir.example.com", "gnir.example.com": "ring.example.com"}
    async with calling(port) as client:
        assert isinstance(await call(client, "http://ring.example.com/"), NameNotFound)

    assert connected == []


async def test_a_public_address_is_connected_to_as_the_number_that_was_judged(
    names: tuple[NameServer, int], connected: list[str]
) -> None:
    """The watch works: what is allowed is seen by it."""
    server, port = names
    server.records["good.example.com", A] = [ipv4(PUBLIC)]
    server.records["good.example.com", AAAA] = [address("2606:4700::1111")[1]]
    server.aliases["www.example.com"] = "good.example.com"
    async with calling(port) as client:
        for url in ("https://www.example.com/", f"http://{PUBLIC}/", "http://[::ffff:93.184.216.34]:8080/"):
            assert isinstance(await call(client, url), ConnectFailed)

    assert set(map(ip_address, connected)) == set(map(ip_address, ("2606:4700::1111", PUBLIC, f"::ffff:{PUBLIC}")))


# -- the installation's lists


async def test_an_allowed_name_may_be_private_and_not_more(names: tuple[NameServer, int], connected: list[str]) -> None:
    server, port = names
    allowed = parse_targets(["*.corp.example", "db"])
    policy = AddressPolicy(allowed_names=allowed.names)
    rules = GateRules(allowed_names=allowed.names)
    for name in ("a.corp.example", "b.corp.example", "c.corp.example", "other.example"):
        server.records[name, AAAA] = []
    server.records["a.corp.example", A] = [ipv4("10.0.0.7")]
    server.records["b.corp.example", A] = [ipv4("127.0.0.1")]
    server.records["c.corp.example", A] = [ipv4("169.254.169.254")]
    server.records["other.example", A] = [ipv4("10.0.0.7")]
    async with calling(port, policy=policy) as client:
        assert isinstance(await call(client, "http://a.corp.example/", rules), ConnectFailed)
        for host in ("b.corp.example", "c.corp.example", "other.example", "10.0.0.7", "localhost", "web"):
            assert isinstance(await call(client, f"http://{host}/", rules), Blocked), host

    assert connected == ["10.0.0.7"]


async def test_what_is_denied_is_denied_by_name_and_by_address(
    names: tuple[NameServer, int], connected: list[str]
) -> None:
    server, port = names
    denied = parse_targets(["*.rival.example", "198.41.0.0/16"])
    policy = AddressPolicy(denied=denied.networks, denied_names=denied.names, allowed=parse_networks(["198.41.0.0/16"]))
    for name, place in (("www.rival.example", PUBLIC), ("friend.example", "198.41.0.4")):
        server.records[name, A], server.records[name, AAAA] = [ipv4(place)], []
    async with calling(port, policy=policy) as client:
        for host in ("www.rival.example", "friend.example", "198.41.0.4"):
            assert isinstance(await call(client, f"http://{host}/"), Blocked)

    assert connected == []


@pytest.mark.parametrize("network", ["169.254.0.0/16", "100.64.0.0/10", "fd00::/8", "192.0.0.0/24", "168.63.129.0/24"])
def test_a_network_does_not_allow_where_clouds_hand_out_credentials(network: str) -> None:
    policy = AddressPolicy(allowed=parse_networks([network]))
    inside = [one for one in METADATA if any(one in block for block in parse_networks([network]))]

    assert inside
    for one in inside:
        assert policy.find_refusal(str(one)) is not None
        assert AddressPolicy(allowed=parse_networks([str(one)])).find_refusal(str(one)) is None
