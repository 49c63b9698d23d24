"""The settings of outbound requests: which servers realms may name, and how they are reached."""

from dataclasses import dataclass
from pathlib import Path

from fanoutcloud.env import BadSetting, Environment
from fanoutcloud.outbound.egress import parse_proxy_url
from fanoutcloud.outbound.lists import PortList, parse_ports, parse_targets

_LOOPBACK = ["127.0.0.0/8", "::1/128"]
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]", "::1")
_SCHEMES = ("https", "http")
#: Where web servers are. Behind other ports are mail servers, databases and caches, of other people too.
USUAL_PORTS = ("80", "443", "8080", "8443")


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """`ports` None: every port. `is_loopback_by_default`: nothing is set, and nobody but this machine can reach the
    installation.
    """

    allowed: list[str]
    denied: list[str]
    name_servers: list[str]
    extra_authorities: str
    schemes: list[str]
    ports: PortList | None
    egress_proxy: str
    egress_certificate: str
    egress_forwards_plain: bool
    is_loopback_by_default: bool = False


def read_outbound_settings(env: Environment, *, bind: str, public_host: str | None) -> OutboundSettings:
    """Read what `docs/howto/configure.md` lists under "Servers that tenants name".

    Where only this machine can reach the installation, loopback addresses are allowed unless `ALLOWED_TARGETS` says
    something else, `none` for instance: whoever tries things has the application on the same machine. Such an
    installation, and one with networks of its own, calls every port unless `TARGET_PORTS` lists some.
    """
    is_private = bind in _LOOPBACK_NAMES and public_host in _LOOPBACK_NAMES and not env.is_set("ALLOWED_HOSTS")
    proxy = env.secret("EGRESS_PROXY")
    is_default = is_private and not env.is_set("ALLOWED_TARGETS") and not proxy
    allowed = _LOOPBACK if is_default else _read_targets(env, "ALLOWED_TARGETS")
    return OutboundSettings(
        allowed=allowed,
        denied=_read_targets(env, "DENIED_TARGETS"),
        name_servers=env.list("DNS_SERVERS"),
        extra_authorities=_read_file_name(env, "EXTRA_AUTHORITIES"),
        schemes=_read_schemes(env),
        ports=_read_ports(env, calls_all=is_private or bool(allowed)),
        egress_proxy=_check_proxy(proxy),
        egress_certificate=_read_file_name(env, "EGRESS_PROXY_CERTIFICATE"),
        egress_forwards_plain=env.choice("EGRESS_PROXY_PLAIN", "tunnel", ("tunnel", "forward")) == "forward",
        is_loopback_by_default=is_default,
    )


def _read_targets(env: Environment, name: str) -> list[str]:
    """Read a list, or the file that `NAME_FILE` names: one entry a line, with comments behind `#`."""
    lines = (line.partition("#")[0] for line in env.secret(name).splitlines())
    texts = [text.strip() for line in lines for text in line.split(",") if text.strip() not in ("", "none")]
    try:
        parse_targets(texts)
    except ValueError as problem:
        expected = "expected such as 10.1.0.0/16, fd00::/8, app.example.com or *.example.com"
        raise BadSetting(f"{name}: {problem}; {expected}") from None
    return texts


def _read_file_name(env: Environment, name: str) -> str:
    file_name = env.str(name)
    if file_name and not Path(file_name).is_file():
        raise BadSetting(f"{name} is {file_name!r}; expected a PEM file that can be read")
    return file_name


def _read_schemes(env: Environment) -> list[str]:
    schemes = env.list("TARGET_SCHEMES", _SCHEMES)
    if not set(schemes) <= set(_SCHEMES):
        raise BadSetting(f"TARGET_SCHEMES is {','.join(schemes)!r}; expected https, or https,http")
    return schemes


def _read_ports(env: Environment, *, calls_all: bool) -> PortList | None:
    texts = env.list("TARGET_PORTS", ("any",) if calls_all else USUAL_PORTS)
    if texts == ["any"]:
        return None
    try:
        return parse_ports(texts)
    except ValueError as problem:
        raise BadSetting(f"TARGET_PORTS: {problem}; expected such as 80,443,8000-8999, or any") from None


def _check_proxy(url: str) -> str:
    try:
        if url:
            parse_proxy_url(url)
    except ValueError as problem:
        raise BadSetting(f"EGRESS_PROXY can't be used: {problem}") from None
    return url
