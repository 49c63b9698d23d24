"""The stores of presence under one roof, each beside the broker of its world."""

from fanoutcloud.broker.memory_presence import MemoryPresenceStore
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_presence import RedisPresenceStore
from fanoutcloud.core.presence import PresenceStore
from tests.contracts.brokers import MemoryWorld, World


async def open_store(world: World) -> PresenceStore:
    """Return the world's store."""
    broker, _ = await world.open()
    if isinstance(broker, RedisBroker):
        return RedisPresenceStore(broker.connection_for)
    assert isinstance(world, MemoryWorld)
    return MemoryPresenceStore(world.clock)
