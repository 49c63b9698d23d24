"""Where a domain's requests go, changed as the old service had it: one plain target, one for TLS, two switches."""

from dataclasses import dataclass, replace

from django.db import transaction

from fanoutcloud.core.domains import Domain, Origin, Route
from realms.domain_documents import read_domain
from realms.models import Realm
from realms.services.domains import get_domain, set_up_domain
from realms.services.locking import lock_realm


@dataclass(frozen=True, slots=True)
class Targets:
    """The servers of a domain: `plain` is spoken to in plain HTTP, `tls` in HTTPS. If both are there, each gets the
    requests that came as it goes; if one is, it gets all.
    """

    plain: Origin | None
    tls: Origin | None


@dataclass(frozen=True, slots=True)
class OriginChange:
    """What changes; None stays as it is. A target of `()` is removed, one of `(origin,)` set."""

    plain: tuple[Origin, ...] | None = None
    tls: tuple[Origin, ...] | None = None
    rewrites_host: bool | None = None
    is_websocket_over_http: bool | None = None


@transaction.atomic
def change_origin(*, realm: Realm, name: str, change: OriginChange) -> None:
    """Change the servers of the realm's domain `name` ("": the built-in one); its other settings stay.

    Raises:
        DomainNotFound: the realm has no such domain.
        InvalidDomainSetting: a server can't be one.
    """
    lock_realm(realm)  # two changes at once must both be there afterwards
    set_up_domain(realm=realm, name=name, domain=_apply(read_domain(get_domain(realm=realm, name=name)), change))


def find_targets(domain: Domain) -> Targets:
    """Return the servers of the domain as the old service had them: the first of each kind."""
    candidates = [
        *domain.origins,
        *(origin for route in domain.routes if _is_tls_rule(route) for origin in route.origins),
    ]
    return Targets(
        plain=next((origin for origin in candidates if not origin.is_tls), None),
        tls=next((origin for origin in candidates if origin.is_tls), None),
    )


def _apply(domain: Domain, change: OriginChange) -> Domain:
    if change.rewrites_host is not None:
        domain = replace(domain, rewrites_host=change.rewrites_host, host_header=None)
    if change.is_websocket_over_http is not None:
        domain = replace(domain, is_websocket_over_http=change.is_websocket_over_http)
    if change.plain is None and change.tls is None:
        return domain
    targets = find_targets(domain)
    plain = (targets.plain,) if change.plain is None and targets.plain else change.plain or ()
    tls = (targets.tls,) if change.tls is None and targets.tls else change.tls or ()
    routes = tuple(route for route in domain.routes if not _is_tls_rule(route))
    if plain and tls:
        routes = (*routes, Route("/", origins=tls, is_tls=True))
    return replace(domain, origins=plain or tls, routes=routes)


def _is_tls_rule(route: Route) -> bool:
    """Tell whether the rule is the one that sends all that comes by TLS elsewhere."""
    return (route.prefix, route.protocol, route.is_tls, route.path) == ("/", "any", True, None)
