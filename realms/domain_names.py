"""Which names a realm can have as custom domains."""

from urllib.parse import urlsplit

from django.conf import settings

from fanoutcloud.core.names import HostName, find_host_name
from realms.errors import InvalidDomainName
from realms.hosts import is_address, own_hosts, serves_this_machine_only

#: Last labels that mean nothing on the internet (RFC 6761, RFC 6762, RFC 8375 and common use): nobody can prove them.
_PRIVATE_ENDINGS = {
    "alt", "arpa", "example", "home", "internal", "invalid", "lan", "local", "localdomain", "localhost", "onion",
    "test",
}  # fmt: skip
#: Second labels under which the registries of countries sell names.
_REGISTRY_LABELS = {"ac", "co", "com", "edu", "gob", "gov", "ltd", "mil", "net", "ne", "nom", "or", "org", "plc"}


def parse_domain_name(text: str) -> HostName:
    """Return the name that somebody typed or pasted, perhaps as part of a URL, as DNS has it.

    Raises:
        InvalidDomainName: it is no name that a realm can have; says why and what to do.
    """
    typed = _host_part(text.strip())
    if not typed:
        raise InvalidDomainName("no name was given", cure="such as push.example.com")
    if "*" in typed:
        raise InvalidDomainName("wildcards are not offered", cure="add each name by itself")
    if is_address(typed):
        raise InvalidDomainName(f"{typed} is an address", cure="use a name that leads to this installation")
    name = find_host_name(_to_ascii(typed))
    if name is None:
        raise InvalidDomainName(
            f"{typed[:80]!r} is no DNS name", cure="use letters, digits and hyphens in two labels or more"
        )
    _refuse_reserved(name)
    return name


def is_private(name: str) -> bool:
    """Tell whether the name can only mean something on this machine or network, so that nobody can prove it."""
    return name.rpartition(".")[2] in _PRIVATE_ENDINGS


def _refuse_reserved(name: HostName) -> None:
    ours = own_hosts(settings)
    if ours.includes(name) or ours.find_realm(name) is not None:
        example = f", such as push.app.{ours.edge_host}" if is_private(name) else ""
        raise InvalidDomainName(f"{name} is a name of this installation", cure=f"use a name of your own{example}")
    if is_private(name) and serves_this_machine_only(settings):
        return
    if name.endswith(f".{ours.edge_host}"):
        raise InvalidDomainName(f"names under {ours.edge_host} are this installation's", cure="use a name of your own")
    if is_private(name):
        ending = name.rpartition(".")[2]
        raise InvalidDomainName(
            f"names that end in .{ending} are not on the internet", cure="use a name whose DNS records you can set"
        )
    first, _, rest = name.partition(".")
    if first in _REGISTRY_LABELS and len(rest) == 2:
        raise InvalidDomainName(f"{name} is a registry's name, under which others have theirs", cure="use one of yours")


def _host_part(text: str) -> str:
    if "://" in text:
        try:
            return urlsplit(text).hostname or ""
        except ValueError:
            return text
    host = text.partition("/")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else host


def _to_ascii(text: str) -> str:
    try:
        return text.lower() if text.isascii() else text.encode("idna").decode()
    except UnicodeError:
        return ""
