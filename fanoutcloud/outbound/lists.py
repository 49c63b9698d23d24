"""The installation's lists of servers: networks, and names such as `app.example.com` or `*.example.com`. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(?:\*\.)?(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*")
_ENDS_AS_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$")


@dataclass(frozen=True, slots=True)
class NameList:
    """Names of servers: exact ones, and `*.name` for all below a name."""

    names: frozenset[str] = frozenset()

    def includes(self, host: str) -> bool:
        """Tell whether a host, as the gate returns it, is listed."""
        if not self.names:
            return False
        if host in self.names:
            return True
        parent = host
        while dot := parent.find(".") + 1:
            parent = parent[dot:]
            if f"*.{parent}" in self.names:
                return True
        return False


NO_NAMES = NameList()


@dataclass(frozen=True, slots=True)
class TargetList:
    """What one setting lists."""

    networks: tuple[Network, ...] = ()
    names: NameList = NO_NAMES


def parse_targets(texts: Iterable[str]) -> TargetList:
    """Return the networks and names that are listed.

    Raises:
        ValueError: names the text that is neither, or a network that has bits set behind its prefix.
    """
    networks, names = [], []
    for text in texts:
        lowered = text.lower()
        if _NAME.fullmatch(lowered) and len(lowered) <= 253 and not _ENDS_AS_NUMBER.search(lowered):
            names.append(lowered)
        else:
            networks.append(_parse_network(text))
    return TargetList(tuple(networks), NameList(frozenset(names)))


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks such as `10.1.0.0/16`, or single addresses.

    Raises:
        ValueError: names the text that is none, or that has bits set behind its prefix.
    """
    return tuple(_parse_network(text) for text in texts)


def _parse_network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as problem:
        raise ValueError(f"{text!r} is no network in CIDR form: {problem}") from None


@dataclass(frozen=True, slots=True)
class PortList:
    """Ports that are called. Ranges, since nobody lists sixty thousand of them."""

    ranges: tuple[range, ...]

    def __contains__(self, port: object) -> bool:
        return any(port in one for one in self.ranges)


def parse_ports(texts: Iterable[str]) -> PortList:
    """Return the ports of texts such as `443` and `8000-8999`.

    Raises:
        ValueError: names the text that is none.
    """
    ranges = []
    for text in texts:
        first, dash, last = text.partition("-")
        numbers = (first, last if dash else first)
        if not all(number.isascii() and number.isdigit() and 1 <= int(number) <= 65535 for number in numbers):
            raise ValueError(f"{text!r} is no port from 1 to 65535")
        ranges.append(range(int(numbers[0]), int(numbers[1]) + 1))
    return PortList(tuple(ranges))
