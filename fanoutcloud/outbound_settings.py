"""The settings of outbound requests: which networks realms may name servers in, and which authorities are trusted."""

from dataclasses import dataclass
from pathlib import Path

from fanoutcloud.env import BadSetting, Environment
from fanoutcloud.outbound.addresses import parse_networks

_LOOPBACK = ["127.0.0.0/8", "::1/128"]
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """`is_loopback_by_default`: nothing is set, and nobody but this machine can reach the installation."""

    allowed: list[str]
    denied: list[str]
    name_servers: list[str]
    extra_authorities: str
    is_loopback_by_default: bool = False


def read_outbound_settings(env: Environment, *, bind: str, public_host: str | None) -> OutboundSettings:
    """Read `ALLOWED_TARGETS`, `DENIED_TARGETS`, `DNS_SERVERS` and `EXTRA_AUTHORITIES`.

    Where only this machine can reach the installation, loopback addresses are allowed unless `ALLOWED_TARGETS` says
    something else, `none` for instance: whoever tries things has the application on the same machine.
    """
    authorities = env.str("EXTRA_AUTHORITIES")
    if authorities and not Path(authorities).is_file():
        raise BadSetting(f"EXTRA_AUTHORITIES is {authorities!r}; expected a PEM file that can be read")
    is_private = bind in _LOOPBACK_NAMES and public_host in _LOOPBACK_NAMES and not env.is_set("ALLOWED_HOSTS")
    is_default = is_private and not env.is_set("ALLOWED_TARGETS")
    return OutboundSettings(
        allowed=_LOOPBACK if is_default else _read_networks(env, "ALLOWED_TARGETS"),
        denied=_read_networks(env, "DENIED_TARGETS"),
        name_servers=env.list("DNS_SERVERS"),
        extra_authorities=authorities,
        is_loopback_by_default=is_default,
    )


def _read_networks(env: Environment, name: str) -> list[str]:
    texts = [text for text in env.list(name) if text != "none"]
    try:
        parse_networks(texts)
    except ValueError as problem:
        raise BadSetting(f"{name}: {problem}; expected such as 10.1.0.0/16,fd00::/8") from None
    return texts
