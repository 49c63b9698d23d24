"""Which addresses may be connected to: a table, one row per block, and the judge that reads it. Pure.

IPv4 is allowed unless a row refuses it. IPv6 is the other way round: only global unicast (2000::/3) is allowed, less
the rows inside it, so that what nobody has thought of is refused. `ipaddress.is_global` is of no use for this: it
differs between releases of Python and lets multicast, NAT64 and cloud-internal addresses through.

Sources: the IANA special-purpose address registries for IPv4 and IPv6, and the clouds' documentation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fanoutcloud.outbound.errors import Blocked

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: Block → the rule's name, as it is told to the tenant.
_REFUSED_V4 = {
    "0.0.0.0/8": "this network",  # reaches the own host
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier NAT",  # also inside of clouds, one's metadata
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud host agent",  # a public address that is none
    "169.254.0.0/16": "link-local",  # metadata of most clouds
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",  # one cloud's metadata
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "AS112",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",  # with the broadcast address
}
_ALLOWED_V6 = "2000::/3"
#: Inside the allowed block, or outside with a name of its own; the first that fits names the rule.
_REFUSED_V6 = {
    "2001::/32": "Teredo",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",  # carries an IPv4 address
    "2620:4f:8000::/48": "AS112",
    "3fff::/20": "documentation",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64",
    "100::/64": "discard",
    "5f00::/16": "segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
#: An allowed network inside one of these would allow whatever address is written into its last bits.
TRANSLATING = tuple(
    map(ip_network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"))
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One block and the name of the rule that refuses it."""

    network: Network
    name: str


def _rules(table: dict[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(ip_network(block), name) for block, name in table.items())


RULES_V4 = _rules(_REFUSED_V4)
RULES_V6 = _rules(_REFUSED_V6)
_GLOBAL_UNICAST = IPv6Network(_ALLOWED_V6)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as `10.1.0.0/16`, or single addresses.

    Raises:
        ValueError: names the text that is none, or that has bits set behind its prefix.
    """
    networks = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as problem:
            raise ValueError(f"{text!r} is no network in CIDR form: {problem}") from None
    return tuple(networks)


class AddressPolicy:
    """The installation's answer to "may we connect to this address?". Immutable."""

    def __init__(self, *, allowed: Iterable[Network] = (), denied: Iterable[Network] = ()) -> None:
        """`allowed` beats the table; `denied` (the installation's own public addresses) beats `allowed`."""
        self._allowed = tuple(allowed)
        self._denied = tuple(denied)

    def judge(self, text: str) -> None:
        """Return if the address may be connected to.

        Raises:
            Blocked: it may not; the error names the rule and not the address.
        """
        rule = self.find_refusal(text)
        if rule is not None:
            raise Blocked("the address", rule)

    def find_refusal(self, text: str) -> str | None:
        """Return the name of the rule that refuses the address, or None."""
        if "%" in text:
            return "address with a zone"
        try:
            address: Address = ip_address(text)
        except ValueError:
            return "no address"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # some resolvers write public IPv4 addresses so
        if _find(self._denied, address):
            return "denied by this installation"
        if _find(self._allowed, address):
            return None
        return _find_rule(address)


def _find(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)  # of another version: never inside


def _find_rule(address: Address) -> str | None:
    rules = RULES_V4 if isinstance(address, IPv4Address) else RULES_V6
    for rule in rules:
        if address in rule.network:
            return rule.name
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "not global unicast"
    return None
