"""Which realm's site a request is for: by host (`REALM.EDGE_DOMAIN`) or by path (`/r/REALM/…` on any host)."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from fanoutcloud.core.names import RealmId, find_realm_id
from fanoutcloud.edge.sinks import Scope

_PATH_PREFIX = "/r/"


@dataclass(frozen=True, slots=True)
class Site:
    """A realm's site, and the path under it."""

    realm: RealmId
    path: str


class SiteNames:
    """Tells sites from everything else. `edge_domain` may carry a port, as in `localhost:8000`."""

    def __init__(self, edge_domain: str, *, other_hosts: Iterable[str] = ()) -> None:
        """`other_hosts` are never sites: the dashboard may have a name beside them."""
        self._other_hosts = {host.lower() for host in other_hosts}
        self._suffix = "." + edge_domain.partition(":")[0].lower()

    def find(self, scope: Scope) -> Site | None:
        """Return the site that an HTTP or WebSocket scope is for, or None."""
        path: str = scope["path"]
        if path.startswith(_PATH_PREFIX):
            name, slash, rest = path[len(_PATH_PREFIX) :].partition("/")
            realm = find_realm_id(name)
            return Site(realm, slash + rest or "/") if realm is not None else None
        realm = self.find_host(scope)
        return Site(realm, path) if realm is not None else None

    def find_host(self, scope: Scope) -> RealmId | None:
        """Return the realm whose host form the `Host` header names, or None."""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower().partition(":")[0]
                if host.endswith(self._suffix) and host not in self._other_hosts:
                    return find_realm_id(host[: -len(self._suffix)])
                return None
        return None


def decode_path(raw_path: bytes) -> str:
    """Return the text of a request's path as ASGI servers decode it."""
    return unquote(raw_path.decode("latin-1"))
