"""Which outbox of webhooks' events belongs to a broker."""

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.item_outbox import ItemOutbox
from fanoutcloud.broker.memory_event_outbox import MemoryEventOutbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.clock import Clock


def make_event_outbox(broker: Broker, clock: Clock) -> ItemOutbox:
    """Return the outbox where the broker's own things are: in its Redis, or in this process."""
    if isinstance(broker, RedisBroker):
        return RedisEventOutbox(broker, clock)
    return MemoryEventOutbox(broker)
