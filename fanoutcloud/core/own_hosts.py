"""Which hosts are the installation's own, which are its realms' host form, and which may be custom domains."""

from collections.abc import Iterable

from fanoutcloud.core.names import RealmId, find_realm_id


class OwnHosts:
    """Names are given in lower case, without port and final dot."""

    def __init__(self, edge_domain: str, *, other_hosts: Iterable[str] = ()) -> None:
        """`edge_domain` may carry a port. `other_hosts` are as Django has them: `.name` includes all below, `*` all."""
        hosts = {host.lower() for host in other_hosts}
        #: Whether the installation answers to every name, so that none is refused.
        self.takes_any = "*" in hosts
        self.edge_host = edge_domain.partition(":")[0].lower()
        self._names = {host.removeprefix(".") for host in hosts} | {self.edge_host}
        self._suffixes = tuple(host for host in hosts if host.startswith("."))

    def includes(self, host: str) -> bool:
        """Tell whether the host is the installation's, which no realm can have."""
        return host in self._names or host.endswith(self._suffixes)

    def find_realm(self, host: str) -> RealmId | None:
        """Return the realm whose host form (`REALM.EDGE_DOMAIN`) this is, or None."""
        suffix = f".{self.edge_host}"
        return find_realm_id(host.removesuffix(suffix)) if host.endswith(suffix) and not self.includes(host) else None
