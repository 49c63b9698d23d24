"""Which realm's site a request is for: by host (`REALM.EDGE_DOMAIN`, or a custom domain) or by path (`/r/REALM/…`)."""

from functools import lru_cache
from urllib.parse import unquote

import msgspec

from fanoutcloud.core.directory import HostFound, RealmDirectory
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.errors import NotFound
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import HostName, RealmId, find_host_name, find_realm_id
from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.site.requests import client_address

_PATH_PREFIX = "/r/"


#: Hosts of which is remembered what they are; those of more are looked at each time.
MAX_SORTED_HOSTS = 4096
#: More of a `Host` header is not looked at: no name is as long (RFC 1035 §2.3.4), and none may fill our memory.
MAX_HOST_HEADER_BYTES = 300


class Site(msgspec.Struct, frozen=True):
    """A realm's site, and the path under it. `domain` is the custom domain that was named; None: the built-in one."""

    realm: RealmId
    path: str
    domain: Domain | None = None
    #: Named by `/r/REALM` on a host that is not the realm's own: other realms, and the dashboard, may have it, too.
    is_by_path: bool = False


class UnknownHost(NotFound):
    """The request names a host that nobody has here."""

    code = "unknown_host"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"no realm has the domain {host}",
            cure="add it on the Domains page of your realm and prove that it is yours",
        )


class SiteNames:
    """Tells sites from everything else by what a request names.

    A host that is a realm's own has all paths for itself: `/r/…` leads to other realms on shared hosts only, so that
    no realm's content can run as another's.
    """

    def __init__(self, own_hosts: OwnHosts) -> None:
        self.own_hosts = own_hosts
        self._sort = lru_cache(maxsize=MAX_SORTED_HOSTS)(self._sort_host)

    def find(self, scope: Scope) -> Site | None:
        """Return the site that an HTTP or WebSocket scope is for by itself, or None. See `find_foreign_host`."""
        path: str = scope["path"]
        realm, _ = self._sort(_host_header(scope))
        return Site(realm, path) if realm is not None else find_by_path(path)

    def find_foreign_host(self, scope: Scope) -> HostName | None:
        """Return the host that the request names if it is neither ours nor a realm's host form: a custom domain?"""
        return self._sort(_host_header(scope))[1]

    def _sort_host(self, header: bytes) -> tuple[RealmId | None, HostName | None]:
        """Return the realm whose host form a `Host` header names, or else the custom domain that it may be."""
        text = header.decode("latin-1").lower().partition(":")[0].removesuffix(".")
        realm = self.own_hosts.find_realm(text)
        host = find_host_name(text) if realm is None else None
        return realm, host if host is not None and not self.own_hosts.includes(host) else None

    def may_be_site(self, scope: Scope) -> bool:
        """Tell whether the scope is for a site, or for one if its host turns out to be a custom domain."""
        return self.find(scope) is not None or self.find_foreign_host(scope) is not None


class SiteFinder:
    """Finds sites, custom domains included."""

    def __init__(self, names: SiteNames, directory: RealmDirectory, failures: FailuresByAddress) -> None:
        self.names = names
        self._directory = directory
        self._failures = failures

    async def find(self, scope: Scope) -> Site | None:
        """Return the site that an HTTP or WebSocket scope is for, or None.

        Raises:
            LimitReached: this client named too many hosts that nobody has.
            Unavailable: whose the host is can't be looked up.
        """
        site = self.find_at_once(scope)
        if site is not None or (host := self.names.find_foreign_host(scope)) is None:
            return site
        found = await self._look_up(host, scope)
        return find_by_path(scope["path"]) if found is None else _site_of(found, scope)

    def find_at_once(self, scope: Scope) -> Site | None:
        """Return the same where nothing must be looked up for it; else None, which says nothing."""
        host = self.names.find_foreign_host(scope)
        if host is None:
            return self.names.find(scope)
        found = self._directory.find_host_cached(host)
        return None if found is None else _site_of(found, scope)

    def is_ours(self, scope: Scope) -> bool:
        """Tell whether the scope is for no site for certain: by its path, and by a host of the installation."""
        return self.names.find_foreign_host(scope) is None and self.names.find(scope) is None

    async def _look_up(self, host: HostName, scope: Scope) -> HostFound | None:
        if self._directory.is_nobodys_host(host):
            return None
        address = client_address(scope)
        self._failures.check(address, "")  # whoever tries names must not cost a query each
        found = await self._directory.find_host(host)
        if found is None:
            self._failures.note(address, "")
        return found

    def check_host(self, scope: Scope) -> None:
        """Raise UnknownHost if the request, which is for no site, names a host that is not the installation's."""
        host = None if self.names.own_hosts.takes_any else self.names.find_foreign_host(scope)
        if host is not None:
            raise UnknownHost(host)


def _site_of(found: HostFound, scope: Scope) -> Site:
    return Site(found.snapshot.realm, scope["path"], found.domain)


def find_by_path(path: str) -> Site | None:
    """Return the site that a path of the form `/r/REALM/…` names, or None."""
    if not path.startswith(_PATH_PREFIX):
        return None
    name, slash, rest = path[len(_PATH_PREFIX) :].partition("/")
    realm = find_realm_id(name)
    return Site(realm, slash + rest or "/", is_by_path=True) if realm is not None else None


def decode_path(raw_path: bytes) -> str:
    """Return the text of a request's path as ASGI servers decode it."""
    return unquote(raw_path.decode("latin-1"))


def _host_header(scope: Scope) -> bytes:
    """Return what the request's first `Host` header says; empty without one."""
    for name, value in scope["headers"]:
        if name == b"host":
            return bytes(value[:MAX_HOST_HEADER_BYTES])
    return b""
