"""Which addresses may be connected to: a table, one row per block, and the judge that reads it. Pure.

IPv4 is allowed unless a row refuses it. IPv6 is the other way round: only global unicast (2000::/3) is allowed, less
the rows inside it, so that what nobody has thought of is refused. `ipaddress.is_global` is of no use for this: it
differs between releases of Python and lets multicast, NAT64 and cloud-internal addresses through.

Sources: the IANA special-purpose address registries for IPv4 and IPv6, and the clouds' documentation.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.lists import NO_NAMES, NameList, Network
from fanoutcloud.outbound.messages import Endpoint

Address = IPv4Address | IPv6Address
_DENIED = "denied by this installation"
_PRIVATE = "private"

#: Block → the rule's name, as it is told to the tenant.
_REFUSED_V4 = {
    "0.0.0.0/8": "this network",  # reaches the own host
    "10.0.0.0/8": _PRIVATE,
    "100.64.0.0/10": "carrier NAT",  # also inside of clouds, one's metadata
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "cloud host agent",  # a public address that is none
    "169.254.0.0/16": "link-local",  # metadata of most clouds
    "172.16.0.0/12": _PRIVATE,
    "192.0.0.0/24": "protocol assignments",  # one cloud's metadata
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "AS112",
    "192.52.193.0/24": "AMT",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": _PRIVATE,
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
    "fc00::/7": _PRIVATE,
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
#: Where clouds hand credentials to whoever asks. An allowed network around one of them does not mean it.
_METADATA_V4 = ("100.100.100.200", "168.63.129.16", "169.254.169.254", "169.254.170.2", "169.254.170.23", "192.0.0.192")
_METADATA_V6 = ("fd00:ec2::23", "fd00:ec2::254", "fd20:ce::254")
METADATA = frozenset(map(ip_address, _METADATA_V4 + _METADATA_V6))
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


class AddressPolicy:
    """The installation's answer to "may we connect to this server?". Immutable."""

    def __init__(
        self,
        *,
        allowed: Iterable[Network] = (),
        denied: Iterable[Network] = (),
        allowed_names: NameList = NO_NAMES,
        denied_names: NameList = NO_NAMES,
        ports: Container[int] | None = None,
    ) -> None:
        """`allowed` beats the table; `denied` (the installation's own public addresses) beats `allowed`.

        An allowed name may have private addresses. It may not lead to this machine, to link-local addresses or anything
        else that is refused: whoever writes its records decides where it leads. `ports` None: every port.
        """
        self._allowed = tuple(allowed)
        self._denied = tuple(denied)
        self._allowed_names = allowed_names
        self._denied_names = denied_names
        self._ports = ports

    def judge(self, text: str, *, host: str = "") -> None:
        """Return if the address may be connected to; `host` is the name that it was found under.

        Raises:
            Blocked: it may not; the error names the rule and not the address.
        """
        rule = self.find_refusal(text, host=host)
        if rule is not None:
            raise Blocked("the address", rule)

    def judge_endpoint(self, endpoint: Endpoint) -> None:
        """Return if the name may be looked up, or asked for through a proxy; an address is judged as such.

        Raises:
            Blocked: it may not.
        """
        if self._ports is not None and endpoint.port not in self._ports:
            raise Blocked("the target", f"port {endpoint.port} is not called")
        if self._denied_names.includes(endpoint.host):
            raise Blocked("the target", _DENIED)
        if is_address(endpoint.host):
            self.judge(endpoint.host)

    def find_refusal(self, text: str, *, host: str = "") -> str | None:
        """Return the name of the rule that refuses the address, or None."""
        if "%" in text:
            return "address with a zone"
        try:
            address: Address = ip_address(text)
        except ValueError:
            return "no address"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped  # some resolvers write public IPv4 addresses so
        if _find(self._denied, address) or self._denied_names.includes(host):
            return _DENIED
        if self._is_allowed(address):
            return None
        rule = _find_rule(address)
        is_private = rule == _PRIVATE and address not in METADATA
        return None if is_private and self._allowed_names.includes(host) else rule

    def _is_allowed(self, address: Address) -> bool:
        """A network allows what is in it, but for metadata: those addresses are allowed one by one."""
        if address in METADATA:
            return any(network.num_addresses == 1 for network in self._allowed if address in network)
        return _find(self._allowed, address)


def is_address(host: str) -> bool:
    """Tell whether a host is an address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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
