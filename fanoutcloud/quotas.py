"""What realms may use, put together for one process: the shared counts, and the parts that spend and hold them.

Composition only, as `fanoutcloud.plane`, which makes it.
"""

import asyncio

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.limit_store import DegradingLimitStore, LimitStore
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_limit_store import RedisLimitStore
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.pacing import RefusalPacer
from fanoutcloud.core.statistics import Statistics
from fanoutcloud.core.usage import UsageMeter
from fanoutcloud.edge.access.admission import Admission
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.reporting.ledger import Ledger
from publishing.rate_limits import PublishLimiter

GIVE_BACK_EVERY_S = 1.0
#: A process that ends gives back what it holds; when the broker is gone, that ends by itself.
GIVE_BACK_TIMEOUT_S = 1.0


class Quotas:
    """The limits of one process. `run` must be running."""

    def __init__(self, broker: Broker, directory: RealmDirectory, clock: Clock, statistics: Statistics) -> None:
        store = make_store(broker, clock, statistics)
        self.egress = EgressMeter(
            store, broker, clock, statistics.limits, find_limits=lambda realm: self.admission.find_limits(realm)
        )
        self.admission = Admission(
            store=store, directory=directory, egress=self.egress, clock=clock, statistics=statistics.limits
        )
        self.usage = UsageMeter(clock)
        self.flight = FlightRecorder(clock, knows=lambda realm: directory.find_cached(realm) is not None)
        self.ledger = Ledger(
            statistics.edge,
            limits=statistics.limits,
            admission=self.admission,
            egress=self.egress,
            usage=self.usage,
            flight=self.flight,
        )
        self.publish_limiter = PublishLimiter(clock, store=store, egress=self.egress, statistics=statistics.limits)
        self.failures = FailuresByAddress(clock, statistics.limits)
        self.pacer = RefusalPacer(clock)

    async def run(self, hub: Hub) -> None:
        """Report, renew and give back until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.egress.run())
            tasks.create_task(self.admission.run(hub.channels))
            tasks.create_task(self._give_back_idle())

    async def _give_back_idle(self) -> None:
        while True:
            await asyncio.sleep(GIVE_BACK_EVERY_S)
            await self.publish_limiter.give_back_idle()

    async def give_back(self) -> None:
        """Give back all that this process holds; within `GIVE_BACK_TIMEOUT_S`, or never mind."""
        try:
            async with asyncio.timeout(GIVE_BACK_TIMEOUT_S):
                await self.publish_limiter.give_back_idle(idle_s=0.0)
                await self.admission.give_back()
        except TimeoutError:
            return


def make_store(broker: Broker, clock: Clock, statistics: Statistics) -> LimitStore:
    """Return where realms' use is counted: beside the broker, so that as many processes share it."""
    local = MemoryLimitStore(clock)
    if isinstance(broker, RedisBroker):
        return DegradingLimitStore(RedisLimitStore(broker.connection_for), local, clock, statistics.limits)
    return local
