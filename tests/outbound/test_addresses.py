"""Every block of the address table: its first and last address, its neighbours, and every way to write one in IPv6."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.outbound.addresses import RULES_V4, RULES_V6, TRANSLATING, AddressPolicy, Rule
from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.lists import parse_networks

STRICT = AddressPolicy()
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
          "11.0.0.0", "9.255.255.255", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17",
          "169.253.255.255",
          "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
          "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2001:200::1",
          "::ffff:8.8.8.8"]  # fmt: skip
#: What `ipaddress.is_global` of this Python calls global, and clouds and kernels do not.
TREACHEROUS = ["192.0.0.192", "192.88.99.1", "224.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
               "::127.0.0.1", "fec0::1", "5f00::1", "3fff::1", "ff02::1", "168.63.129.16", "100.100.100.200",
               "169.254.169.254", "fd00:ec2::254", "::ffff:0:127.0.0.1", "255.255.255.255", "0.0.0.0", "::", "::1",
               "2001:20::1", "4000::1", "1000::1", "e000::1"]  # fmt: skip
MALFORMED = ["", "localhost", "127.1", "0x7f.0.0.1", "017700000001", "2130706433", "1.2.3.4.5", "::g", "[::1]",
             "fe80::1%eth0",
             "1.1.1.1%1", "1.1.1.1 ", "1.1.1.1/32"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_connected_to(address: str) -> None:
    assert STRICT.find_refusal(address) is None


@pytest.mark.parametrize("address", TREACHEROUS + MALFORMED)
def test_addresses_that_lead_inside_or_are_none_are_refused(address: str) -> None:
    assert STRICT.find_refusal(address) is not None
    with pytest.raises(Blocked):
        STRICT.judge(address)


@pytest.mark.parametrize("rule", RULES_V4 + RULES_V6, ids=lambda rule: str(rule.network))
def test_a_block_is_refused_from_its_first_to_its_last_address(rule: Rule) -> None:
    network = rule.network

    for address in (network[0], network[-1], network[network.num_addresses // 2]):
        assert STRICT.find_refusal(str(address)) is not None


@pytest.mark.parametrize("rule", RULES_V4, ids=lambda rule: str(rule.network))
def test_a_refused_ipv4_address_is_refused_in_all_its_ipv6_forms(rule: Rule) -> None:
    number = int(rule.network[0])
    forms = [0xFFFF << 32, 0xFFFF << 48, 0, 0x64FF9B << 96, 0x64FF9B0001 << 80]

    for prefix in forms:
        assert STRICT.find_refusal(str(IPv6Address(prefix | number))) is not None
    assert STRICT.find_refusal(str(IPv6Address(0x2002 << 112 | number << 80))) is not None


@given(st.integers(0, 2**32 - 1))
def test_ipv4_is_allowed_exactly_outside_of_the_table(number: int) -> None:
    address = IPv4Address(number)
    is_listed = any(address in rule.network for rule in RULES_V4)

    assert (STRICT.find_refusal(str(address)) is not None) == is_listed
    assert (STRICT.find_refusal(f"::ffff:{address}") is not None) == is_listed


@given(st.integers(0, 2**128 - 1))
def test_ipv6_is_refused_outside_of_global_unicast(number: int) -> None:
    address = IPv6Address(number)

    if number >> 125 != 1 and address.ipv4_mapped is None:
        assert STRICT.find_refusal(str(address)) is not None


def test_an_installation_permits_networks_of_its_own() -> None:
    policy = AddressPolicy(allowed=parse_networks(["127.0.0.0/8", "fd00::/8"]))

    assert policy.find_refusal("127.0.0.1") is None
    assert policy.find_refusal("::ffff:127.0.0.1") is None
    assert policy.find_refusal("fd12::1") is None
    assert policy.find_refusal("::1") == "loopback"
    assert policy.find_refusal("10.0.0.1") == "private"


def test_what_an_installation_denies_beats_what_it_permits() -> None:
    policy = AddressPolicy(allowed=parse_networks(["10.0.0.0/8"]), denied=parse_networks(["10.1.0.0/16", "1.1.1.1"]))

    assert policy.find_refusal("10.2.0.1") is None
    assert policy.find_refusal("10.1.0.1") == "denied by this installation"
    assert policy.find_refusal("1.1.1.1") == "denied by this installation"


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.1/8", "localhost", "10.0.0.0/8 ", "*"])
def test_networks_that_are_none_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="is no network in CIDR form"):
        parse_networks([text])


def test_the_error_names_the_rule_and_not_what_was_found() -> None:
    with pytest.raises(Blocked) as raised:
        STRICT.judge("169.254.169.254")

    assert str(raised.value) == "the address is not allowed (link-local)"


def test_the_table_holds_what_the_registries_call_special() -> None:
    """Blocks of the IANA special-purpose registries (2025) that are not globally reachable, and multicast."""
    registry = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
                "240.0.0.0/4", "255.255.255.255/32", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
                "192.175.48.0/24", "224.0.0.0/4",
                "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
                "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48",
                "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32",
                "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7",
                "fe80::/10", "ff00::/8"]  # fmt: skip

    for block in map(ip_network, registry):
        for address in (block[0], block[-1]):
            assert STRICT.find_refusal(str(address)) is not None, address
    assert {str(network) for network in TRANSLATING} >= {"64:ff9b::/96", "2002::/16"}
