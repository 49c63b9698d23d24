"""Reads a URL or a host that a tenant wrote. Pure: no look-up, no connection.

What two parsers could read differently is refused; what is let through is rebuilt from its parts, and only that goes
further. Runs when something is saved and again whenever it is used.
"""

from collections.abc import Collection, Container
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.lists import NO_NAMES, NameList
from fanoutcloud.outbound.messages import Endpoint

MAX_URL_CHARACTERS = 2_048
MAX_HOST_CHARACTERS = 253
MAX_LABEL_CHARACTERS = 63
#: Names that never leave a machine, a house, or a cluster.
PRIVATE_SUFFIXES = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "onion",
    "invalid",
    "svc",
    "cluster.local",
)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_IDNA_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")


@dataclass(frozen=True, slots=True)
class GateRules:
    """What an installation lets pass. `ports` None: every port from 1 to 65535.

    `own_hosts` are the installation's own: a target there would be a loop. `permits_private_names` lets single labels
    and `PRIVATE_SUFFIXES` through, for installations that permit private networks, `allowed_names` those that are
    listed; the address policy still judges.
    """

    schemes: Collection[str] = ("https", "http")
    ports: Container[int] | None = None
    own_hosts: Collection[str] = ()
    permits_private_names: bool = False
    allowed_names: NameList = NO_NAMES
    denied_names: NameList = NO_NAMES


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that passed: where to connect, and path with query for the request line."""

    endpoint: Endpoint
    path: str

    @property
    def url(self) -> str:
        """Return the URL, rebuilt."""
        return f"{'https' if self.endpoint.is_tls else 'http'}://{self.endpoint.authority}{self.path}"


def parse_url(text: str, rules: GateRules) -> Target:
    """Return the target that a URL names; its fragment is dropped.

    Raises:
        Blocked: the URL is not let through; names the rule.
    """
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS or scheme not in rules.schemes:
        raise _refused(f"only {' and '.join(f'{name}://' for name in rules.schemes)} is called")
    authority, path = _split_authority(rest.partition("#")[0])
    host_text, port_text = _split_port(authority)
    port = parse_port(port_text, rules) if port_text is not None else _DEFAULT_PORTS[scheme]
    _check_port(port, rules)
    return Target(Endpoint(parse_host(host_text, rules), port, scheme == "https"), path)


def parse_host(text: str, rules: GateRules) -> str:
    """Return a host as it is looked up and compared: lower case, ASCII, no brackets, no trailing dot.

    Raises:
        Blocked: as above.
    """
    if text.startswith("[") or text.endswith("]"):
        return _parse_bracketed(text)
    if ":" in text:
        return _parse_ipv6(text)
    host = _to_ascii(text)
    labels = host.split(".")
    if _looks_like_number(labels[-1]):
        return _parse_ipv4(host)
    _check_labels(host, labels)
    _check_reach(host, labels, rules)
    return host


def parse_port(text: str, rules: GateRules) -> int:
    """Return a port.

    Raises:
        Blocked: it is none, or not one that is called.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise _refused("the port is no number from 1 to 65535")
    port = int(text)
    _check_port(port, rules)
    return port


def _check_port(port: int, rules: GateRules) -> None:
    if not 1 <= port <= 65535:
        raise _refused("the port is no number from 1 to 65535")
    if rules.ports is not None and port not in rules.ports:
        raise _refused(f"port {port} is not called")


def _check_characters(text: str) -> None:
    if len(text) > MAX_URL_CHARACTERS:
        raise _refused(f"a URL has at most {MAX_URL_CHARACTERS:,} characters")
    if any(character <= " " or character == "\x7f" or character == "\\" for character in text):
        raise _refused("a URL holds no blanks, control characters or backslashes")


def _split_authority(rest: str) -> tuple[str, str]:
    """Split what follows the scheme at the first `/` or `?`."""
    cut = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if "@" in authority:
        raise _refused("a URL here carries no user or password")
    if "%" in authority:
        raise _refused("a host is written without %")
    if not path.isascii():
        raise _refused("path and query are percent-encoded ASCII")
    return authority, path if path.startswith("/") else f"/{path}"


def _split_port(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        if rest and not rest.startswith(":"):
            raise _refused("nothing but a port follows an address in brackets")
        return host + bracket, rest[1:] if rest else None
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _parse_bracketed(text: str) -> str:
    if not (text.startswith("[") and text.endswith("]")):
        raise _refused("brackets hold one IPv6 address")
    return _parse_ipv6(text[1:-1])


def _parse_ipv6(text: str) -> str:
    if not text.isascii() or "%" in text:
        raise _refused("this is no IPv6 address")
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise _refused("this is no IPv6 address") from None


def _to_ascii(text: str) -> str:
    """Return the name after IDNA 2008 with the mapping of UTS 46. Refuses what is no name then."""
    if "@" in text or "%" in text or "/" in text:
        raise _refused("this is no host name")
    bare = text.translate(_IDNA_DOTS).removesuffix(".")
    if bare.isascii():
        return bare.lower()
    try:
        return idna.encode(bare, uts46=True, std3_rules=True, transitional=False).decode("ascii").lower()
    except idna.IDNAError:
        raise _refused("this is no host name") from None


def _looks_like_number(label: str) -> bool:
    """Whether the C library, or a browser, could read a host that ends so as an IPv4 address."""
    return label.isdigit() or label[:2] == "0x"


def _parse_ipv4(host: str) -> str:
    """Return the address if it is written in the one way that everybody reads alike."""
    parts = host.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
        raise _refused("an IPv4 address is written as four decimal numbers")
    try:
        return str(IPv4Address(host))  # refuses leading zeros
    except AddressValueError:
        raise _refused("an IPv4 address is written as four decimal numbers") from None


def _check_labels(host: str, labels: list[str]) -> None:
    if not host:
        raise _refused("a host is missing")
    if len(host) > MAX_HOST_CHARACTERS:
        raise _refused(f"a host has at most {MAX_HOST_CHARACTERS} characters")
    for label in labels:
        if not 1 <= len(label) <= MAX_LABEL_CHARACTERS or label[0] == "-" or label[-1] == "-":
            raise _refused("this is no host name")
        if not all(character.isascii() and (character.isalnum() or character in "-_") for character in label):
            raise _refused("this is no host name")


def _check_reach(host: str, labels: list[str], rules: GateRules) -> None:
    if any(host == own or host.endswith(f".{own}") for own in rules.own_hosts):
        raise _refused("this is the installation's own address")
    if rules.denied_names.includes(host):
        raise _refused("denied by this installation")
    if rules.permits_private_names or rules.allowed_names.includes(host):
        return
    if len(labels) < 2 or any(host == suffix or host.endswith(f".{suffix}") for suffix in PRIVATE_SUFFIXES):
        raise _refused("a private name")


def _refused(rule: str) -> Blocked:
    return Blocked("the target", rule)
