"""Which outbox of webhooks' events belongs to a broker."""

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.memory_event_outbox import MemoryEventOutbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.webhooks import EventOutbox


def make_event_outbox(broker: Broker, clock: Clock) -> EventOutbox:
    """Return the outbox where the broker's own things are: in its Redis, or in this process."""
    if isinstance(broker, RedisBroker):
        return RedisEventOutbox(broker.connection_for, clock)
    return MemoryEventOutbox(broker.announce)
