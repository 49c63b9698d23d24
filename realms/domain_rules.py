"""What may be set for a domain. Whether an address may be reached is decided when it is, by `fanoutcloud.outbound`."""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

from fanoutcloud.core.domains import Domain, Origin, Route
from fanoutcloud.core.names import MAX_HOST_NAME_CHARACTERS
from realms.errors import InvalidDomainSetting
from realms.hosts import is_address, is_loopback, own_hosts
from realms.models import RealmDomain

MAX_ORIGINS = 8
MAX_ROUTES = 50
MAX_EXTRA_HEADERS = 20
MAX_TEXT_CHARACTERS = 1000

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_PATH = re.compile(r"/[!-~]*\Z")
#: Headers that are the connection's, or that we answer for.
_NOT_EXTRA = {
    "connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip


def check_domain(domain: Domain) -> None:
    """Refuse settings that can't work.

    Raises:
        InvalidDomainSetting: names the place, the value's fault and the cure.
    """
    check_origins(domain.origins, field="origins")
    _check_count(domain.routes, MAX_ROUTES, field="routes", what="rules")
    seen: set[tuple[str, str, bool | None]] = set()
    for position, route in enumerate(domain.routes):
        _check_route(route, field=f"routes[{position}]")
        condition = (route.prefix, route.protocol, route.is_tls)
        if condition in seen:
            raise InvalidDomainSetting(
                f"there is a rule for {route.prefix} already",
                cure="keep one of them",
                field=f"routes[{position}].prefix",
            )
        seen.add(condition)
    if domain.host_header is not None:
        _check_host_header(domain.host_header)
    _check_count(domain.extra_headers, MAX_EXTRA_HEADERS, field="extra_headers", what="headers")
    for position, (name, value) in enumerate(domain.extra_headers):
        _check_header(name, value, field=f"extra_headers[{position}]")
    if not 0 <= domain.forwarded_for.keep <= MAX_EXTRA_HEADERS:
        raise InvalidDomainSetting(
            f"{domain.forwarded_for.keep} can't be kept", cure="use 0 to 20", field="forwarded_for.keep"
        )


def check_origins(origins: Sequence[Origin], *, field: str) -> None:
    """Refuse origins that can't be servers of the realm's own."""
    _check_count(origins, MAX_ORIGINS, field=field, what="origin servers")
    for position, origin in enumerate(origins):
        place = f"{field}[{position}]"
        _check_origin(origin, field=place)
        if origin in origins[:position]:
            raise InvalidDomainSetting(f"{origin.authority} is there twice", cure="remove one of them", field=place)


def _check_origin(origin: Origin, *, field: str) -> None:
    if not (is_address(origin.host) or (_HOST.match(origin.host) and len(origin.host) <= MAX_HOST_NAME_CHARACTERS)):
        raise InvalidDomainSetting(
            f"{origin.host[:80]!r} is no host",
            cure="use a name or an address, such as app.example.com",
            field=f"{field}.host",
        )
    if not 1 <= origin.port <= 65_535:
        raise InvalidDomainSetting(f"there is no port {origin.port}", cure="use 1 to 65535", field=f"{field}.port")
    if _is_ourselves(origin):
        raise InvalidDomainSetting(
            f"{origin.authority} is this installation, so requests would go round in circles",
            cure="name the server that your application runs on",
            field=field,
        )


def _is_ourselves(origin: Origin) -> bool:
    """Tell whether the origin is one of our own addresses. What leads back in other ways is found when it happens."""
    public = urlsplit(settings.PUBLIC_URL)
    ports = {80, 443, settings.PORT, public.port, urlsplit(f"//{settings.EDGE_DOMAIN}").port}
    if origin.port not in ports:
        return False
    host = origin.host.lower().removesuffix(".")
    if is_loopback(host):
        return is_loopback(public.hostname or "") and origin.port in {settings.PORT, public.port}
    ours = own_hosts(settings)
    return ours.includes(host) or ours.find_realm(host) is not None or RealmDomain.objects.holders(host).exists()


def _check_route(route: Route, *, field: str) -> None:
    _check_path(route.prefix, field=f"{field}.prefix")
    if route.path is not None:
        _check_path(route.path, field=f"{field}.path")
    check_origins(route.origins, field=f"{field}.origins")


def _check_path(path: str, *, field: str) -> None:
    if not _PATH.match(path) or len(path) > MAX_TEXT_CHARACTERS or "?" in path or "#" in path:
        raise InvalidDomainSetting(
            f"{path[:80]!r} is no path", cure="begin with /, percent-escape what is not ASCII", field=field
        )


def _check_host_header(text: str) -> None:
    parts = urlsplit(f"//{text}") if _is_plain(text) else None
    try:
        is_good = parts is not None and parts.netloc == text and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or "@" in text or " " in text:
        raise InvalidDomainSetting(
            f"{text[:80]!r} can't be a Host header", cure="use a host, such as app.example.com", field="host_header"
        )


def _check_header(name: str, value: str, *, field: str) -> None:
    lower = name.lower()
    if not _HEADER_NAME.match(name):
        raise InvalidDomainSetting(
            f"{name[:80]!r} is no header name", cure="use such as X-Origin", field=f"{field}.name"
        )
    if lower in _NOT_EXTRA or lower.startswith("grip-"):
        cure = "use the setting for Host" if lower == "host" else "choose another header"
        raise InvalidDomainSetting(f"{name} is set by the edge itself", cure=cure, field=f"{field}.name")
    if not _is_plain(value) or len(value) > MAX_TEXT_CHARACTERS:
        raise InvalidDomainSetting(
            f"the value of {name} can't be sent", cure="use one line of printable ASCII", field=f"{field}.value"
        )


def _check_count(things: Sequence[object], limit: int, *, field: str, what: str) -> None:
    if len(things) > limit:
        raise InvalidDomainSetting(f"{len(things)} {what} are too many", cure=f"use at most {limit}", field=field)


def _is_plain(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)
