"""Brokers in trouble, and how to look at what a broker keeps."""

from collections.abc import Sequence

from fanoutcloud.broker.base import Broker, PublishResult
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition


class BrokerThatIsDown(MemoryBroker):
    """Refuses to publish, as a broker does that can't reach its server."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.attempts = 0

    async def publish(self, realm: RealmId, items: Sequence[Item], *, retention: Retention) -> list[PublishResult]:
        self.attempts += 1
        raise Unavailable("the broker does not answer", retry_after_s=3)


async def read_all(broker: Broker, realm: RealmId, channel: str) -> list[Item]:
    """Return all items that are kept of a channel, oldest first."""
    name = ChannelName(channel)
    [top] = await broker.positions([(realm, name)])
    stored = await broker.read_since(realm, name, StreamPosition(top.epoch, 0), limit=10_000)
    return [one.item for one in stored]
