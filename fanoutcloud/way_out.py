"""The guarded way out to servers that tenants choose, put together as the settings have it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.conf import LazySettings

from fanoutcloud.outbound.addresses import AddressPolicy
from fanoutcloud.outbound.client import DEFAULT_POOL_LIMITS, OutboundClient
from fanoutcloud.outbound.connecting import Connector, Way, make_tls_context
from fanoutcloud.outbound.egress import EgressWay, parse_proxy_url
from fanoutcloud.outbound.gate import GateRules
from fanoutcloud.outbound.lists import parse_targets
from fanoutcloud.outbound.pool import PoolLimits
from fanoutcloud.outbound.resolver import DnsResolver


@dataclass(frozen=True, slots=True)
class WayOut:
    """What looks names up and what sends requests. Lives on one event loop."""

    resolver: DnsResolver
    client: OutboundClient

    async def aclose(self) -> None:
        """Close what is idle and end what is under way."""
        self.client.close()
        await self.resolver.close()


def make_way_out(settings: LazySettings, *, limits: PoolLimits = DEFAULT_POOL_LIMITS) -> WayOut:
    """Return a way out for this process, or for one errand."""
    resolver = DnsResolver(settings.DNS_SERVERS)
    return WayOut(resolver, OutboundClient(_make_way(settings, resolver), limits=limits))


@asynccontextmanager
async def open_way_out(settings: LazySettings) -> AsyncIterator[WayOut]:
    """Yield a way out for one errand."""
    way_out = make_way_out(settings)
    try:
        yield way_out
    finally:
        await way_out.aclose()


def make_address_policy(settings: LazySettings) -> AddressPolicy:
    """Return the judge of addresses and ports."""
    allowed, denied = parse_targets(settings.ALLOWED_TARGETS), parse_targets(settings.DENIED_TARGETS)
    return AddressPolicy(
        allowed=allowed.networks,
        denied=denied.networks,
        allowed_names=allowed.names,
        denied_names=denied.names,
        ports=settings.TARGET_PORTS,
    )


def make_gate_rules(settings: LazySettings, *, own_hosts: Collection[str] = ()) -> GateRules:
    """Return what may be named. Private names are let through where private networks are allowed."""
    allowed, denied = parse_targets(settings.ALLOWED_TARGETS), parse_targets(settings.DENIED_TARGETS)
    return GateRules(
        schemes=settings.TARGET_SCHEMES,
        ports=settings.TARGET_PORTS,
        own_hosts=own_hosts,
        permits_private_names=bool(allowed.networks),
        allowed_names=allowed.names,
        denied_names=denied.names,
    )


def _make_way(settings: LazySettings, resolver: DnsResolver) -> Way:
    policy = make_address_policy(settings)
    tls = make_tls_context(settings.EXTRA_AUTHORITIES or None)
    if not settings.EGRESS_PROXY:
        return Connector(policy, resolver, tls=tls)
    proxy = parse_proxy_url(settings.EGRESS_PROXY, forwards_plain=settings.EGRESS_FORWARDS_PLAIN)
    proxy_tls = make_tls_context(settings.EXTRA_AUTHORITIES or None)
    if settings.EGRESS_CERTIFICATE:
        proxy_tls.load_cert_chain(settings.EGRESS_CERTIFICATE)
    return EgressWay(proxy, policy, resolver, tls=tls, proxy_tls=proxy_tls)
