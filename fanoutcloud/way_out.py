"""The guarded way out to servers that tenants choose, put together as the settings have it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from django.conf import LazySettings

from fanoutcloud.outbound.addresses import AddressPolicy, parse_networks
from fanoutcloud.outbound.client import OutboundClient
from fanoutcloud.outbound.connecting import Connector, make_tls_context
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


def make_way_out(settings: LazySettings) -> WayOut:
    """Return a way out for this process, or for one errand."""
    resolver = DnsResolver(settings.DNS_SERVERS)
    policy = AddressPolicy(
        allowed=parse_networks(settings.ALLOWED_TARGETS), denied=parse_networks(settings.DENIED_TARGETS)
    )
    tls = make_tls_context(settings.EXTRA_AUTHORITIES or None)
    return WayOut(resolver, OutboundClient(Connector(policy, resolver, tls=tls)))


@asynccontextmanager
async def open_way_out(settings: LazySettings) -> AsyncIterator[WayOut]:
    """Yield a way out for one errand."""
    way_out = make_way_out(settings)
    try:
        yield way_out
    finally:
        await way_out.aclose()
