"""What Redis keeps of open connections, so that others can tell when an edge dies."""

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_open_connections import OpenConnection, RedisOpenConnections
from tests.contracts.brokers import MemoryWorld, World

ONE, OTHER, THIRD = (OpenConnection(name, f"closed:{name}", b'{"a":1}') for name in ("c1", "c2", "c3"))


async def test_connections_are_of_the_edge_that_wrote_them_down_last(world: World) -> None:
    if isinstance(world, MemoryWorld):
        return  # one process: nobody survives it
    broker, _ = await world.open()
    assert isinstance(broker, RedisBroker)
    store = RedisOpenConnections(broker.connection_for)
    before, after = f"before-{world.realm}", f"after-{world.realm}"

    await store.write(before, world.realm, [ONE, OTHER, THIRD])
    await store.write(after, world.realm, [OTHER])
    await store.remove(world.realm, ["c3"])

    assert await store.realms_of(before) == [world.realm]
    assert await store.of_edge(world.realm, before) == [ONE]
    assert await store.of_edge(world.realm, after) == [OTHER]
    await store.forget(before)
    assert await store.realms_of(before) == []
    assert await store.realms_of(after) == [world.realm]
    await broker.forget_realm(world.realm)
    assert await store.of_edge(world.realm, after) == []
