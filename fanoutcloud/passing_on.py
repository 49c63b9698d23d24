"""The proxy to realms' origins, put together from the settings. Composition only: `fanoutcloud.plane` imports this."""

import hashlib
import hmac
from urllib.parse import urlsplit

from django.conf import LazySettings

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.activity import ActivitySink
from fanoutcloud.core.statistics import OriginStatistics
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.grip.holds import GripHolds
from fanoutcloud.grip.origins import OriginGateway
from fanoutcloud.grip.proxy import Proxy
from fanoutcloud.grip.signature import Signer
from fanoutcloud.way_out import make_gate_rules, make_way_out
from realms.hosts import is_loopback


class PassingOn:
    """The way out of this process, and who passes requests on. One per process; lives on one event loop."""

    def __init__(
        self, settings: LazySettings, *, hub: Hub, broker: Broker, activity: ActivitySink, statistics: OriginStatistics
    ) -> None:
        self.way_out = make_way_out(settings)
        self.rules = make_gate_rules(settings, own_hosts=_own_hosts(settings))
        self.signer = Signer(hub.clock)
        gateway = OriginGateway(
            self.way_out.client,
            rules=self.rules,
            signer=self.signer,
            activity=activity,
            clock=hub.clock,
            statistics=statistics,
            flight=hub.ledger.flight,
        )
        self.proxy = Proxy(gateway, GripHolds(hub, broker), via=make_via(settings.SECRET_KEY), ledger=hub.ledger)

    async def close(self) -> None:
        """Close idle connections, and end look-ups that are under way."""
        await self.way_out.aclose()

    def gauges(self) -> dict[str, tuple[str, float]]:
        pool = self.way_out.client.pool
        return {
            "fanout_origin_connections_used": ("Connections to origins that are in use", pool.lent_count),
            "fanout_origin_connections_idle": ("Connections to origins that wait for use", pool.idle_count),
        }


def _own_hosts(settings: LazySettings) -> list[str]:
    hosts = {urlsplit(settings.PUBLIC_URL).hostname or "", settings.EDGE_DOMAIN.partition(":")[0]}
    return [host for host in hosts if host and not is_loopback(host)]


def make_via(secret_key: str) -> bytes:
    """Return this installation's name in `Via`: the same in all its processes, told apart from others'."""
    digest = hmac.new(secret_key.encode(), b"fanoutcloud via", hashlib.sha256).hexdigest()
    return f"1.1 fanoutcloud-{digest[:12]}".encode()
