"""Where a request to a domain goes: to origins, or to the realm's own transports. Pure."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from fanoutcloud.core.domains import Domain, Origin, Route

ClientProtocol = Literal["http", "ws"]

#: First segments of the paths that are the realm's own on every domain.
OWN_SEGMENTS = frozenset({"fanout", "bayeux", "bayeux.js", "fpp", "pubsub"})


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes, and the path (percent-encoded) that it has there. Without origins: our own transports."""

    origins: tuple[Origin, ...]
    raw_path: bytes

    @property
    def path(self) -> str:
        """Return the path, decoded."""
        return unquote(self.raw_path.decode("latin-1"))


def is_own_path(path: str) -> bool:
    """Tell whether a path under a site is for the realm's own transports whatever its domain says."""
    return path.lstrip("/").partition("/")[0] in OWN_SEGMENTS


def find_destination(domain: Domain, raw_path: bytes, *, protocol: ClientProtocol, is_tls: bool) -> Destination | None:
    """Return where a request goes, or None: the domain says nothing of it.

    Of the routes that match, those that name a protocol win, then the longest prefix, then those that name TLS.
    """
    matching = [route for route in domain.routes if _matches(route, raw_path, protocol, is_tls=is_tls)]
    if not matching:
        return Destination(domain.origins, raw_path) if domain.origins else None
    best = max(matching, key=lambda route: (route.protocol != "any", len(route.prefix), route.is_tls is not None))
    if best.path is None:
        return Destination(best.origins, raw_path)
    return Destination(best.origins, best.path.encode("latin-1") + raw_path[len(best.prefix) :])


def _matches(route: Route, raw_path: bytes, protocol: ClientProtocol, *, is_tls: bool) -> bool:
    return (
        raw_path.startswith(route.prefix.encode("latin-1"))
        and route.protocol in ("any", protocol)
        and route.is_tls in (None, is_tls)
    )
