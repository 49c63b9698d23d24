"""Settings of domains as people write them, one line each, and back. Whether they can work, `domain_rules` tells.

Servers are `https://app.example.com` or `http://10.0.0.5:3000`. Rules are

    [ws|http] [tls|plain] PREFIX TARGET [TARGET…] [as PATH]

where TARGET is a server, or `here` for the realm's own transports. Headers are `Name: value`.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from fanoutcloud.core.domains import Origin, Route
from realms.errors import InvalidDomainSetting

HERE = "here"
_PROTOCOLS = {"ws": "ws", "http": "http"}
_TLS = {"tls": True, "plain": False}
_ORIGIN_CURE = "write it as https://app.example.com or http://app.example.com:3000"


def parse_origins(text: str) -> tuple[Origin, ...]:
    """Return the servers of a text, one a line, in order.

    Raises:
        InvalidDomainSetting: `field` is `origins[line]`, the lines that are not empty counted from 0.
    """
    return tuple(parse_origin(line, field=f"origins[{place}]") for place, line in _lines(text))


def parse_origin(text: str, *, field: str) -> Origin:
    """Return one server; without a scheme it is spoken to in plain HTTP."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "http", text
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidDomainSetting(f"{text[:80]!r} is no server", cure=_ORIGIN_CURE, field=field) from None
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if scheme.lower() not in ("http", "https") or not host or not is_bare:
        raise InvalidDomainSetting(f"{text[:80]!r} is no server", cure=_ORIGIN_CURE, field=field)
    is_tls = scheme.lower() == "https"
    return Origin(host, port if port is not None else 443 if is_tls else 80, is_tls)


def parse_routes(text: str) -> tuple[Route, ...]:
    """Return the rules of a text, one a line.

    Raises:
        InvalidDomainSetting: `field` is `routes[line]`.
    """
    return tuple(_parse_route(line.split(), field=f"routes[{place}]") for place, line in _lines(text))


def parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a text, one a line; an empty value removes the header.

    Raises:
        InvalidDomainSetting: `field` is `extra_headers[line]`.
    """
    return tuple(_parse_header(line, field=f"extra_headers[{place}]") for place, line in _lines(text))


def write_origins(origins: tuple[Origin, ...]) -> str:
    """Return the servers, one a line."""
    return "\n".join(map(write_origin, origins))


def write_origin(origin: Origin) -> str:
    """Return one server, without the port where it is the scheme's own."""
    scheme, default = ("https", 443) if origin.is_tls else ("http", 80)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{scheme}://{host}" if origin.port == default else f"{scheme}://{host}:{origin.port}"


def write_routes(routes: tuple[Route, ...]) -> str:
    """Return the rules, one a line."""
    return "\n".join(" ".join(_route_words(route)) for route in routes)


def write_headers(headers: tuple[tuple[str, str], ...]) -> str:
    """Return the headers, one a line."""
    return "\n".join(f"{name}: {value}".rstrip() for name, value in headers)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(line.strip() for line in text.splitlines() if line.strip())


def _parse_route(words: list[str], *, field: str) -> Route:
    line = " ".join(words)
    protocol = _PROTOCOLS[words.pop(0)] if words[0] in _PROTOCOLS else "any"
    is_tls = _TLS[words.pop(0)] if words and words[0] in _TLS else None
    path = None
    if len(words) > 2 and words[-2] == "as":
        path = words[-1]
        words = words[:-2]
    is_mixed = HERE in words[1:] and len(words) > 2
    if len(words) < 2 or is_mixed or not words[0].startswith("/"):
        cure = f"write it as /api/ https://api.example.com, or /live/ {HERE}"
        raise InvalidDomainSetting(f"{line[:80]!r} is no rule", cure=cure, field=field)
    prefix, targets = words[0], words[1:]
    if targets == [HERE]:
        return Route(prefix, (), path, protocol, is_tls)  # type: ignore[arg-type]  # one of the literals
    origins = tuple(parse_origin(target, field=field) for target in targets)
    return Route(prefix, origins, path, protocol, is_tls)  # type: ignore[arg-type]


def _route_words(route: Route) -> list[str]:
    words: list[str] = [] if route.protocol == "any" else [route.protocol]
    if route.is_tls is not None:
        words.append("tls" if route.is_tls else "plain")
    words += [route.prefix, *(map(write_origin, route.origins) if route.origins else [HERE])]
    return words if route.path is None else [*words, "as", route.path]


def _parse_header(line: str, *, field: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise InvalidDomainSetting(f"{line[:80]!r} is no header", cure="write it as Name: value", field=field)
    return name.strip(), value.strip()
