"""Several edges on one broker, and one that asks them all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fanoutcloud.broker.memory_presence import MemoryPresenceStore
from fanoutcloud.broker.roll_call import RollCall
from fanoutcloud.core.access import Grant
from fanoutcloud.core.names import RealmId
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.reporting.census import Census
from fanoutcloud.edge.reporting.reads import AskingReads
from tests.edge.takeover.handover_worlds import Both
from tests.edge.worlds import PATIENCE_S, REALM, EdgeWorld, RecordingSubscriber, until


class ReadWorld:
    """`world` is one edge, `others` the rest; `reads` asks all of them."""

    def __init__(self, world: EdgeWorld, hubs: list[Hub]) -> None:
        self.world = world
        self.hubs = [world.hub, *hubs]
        self.calls = [self._make_call(hub) for hub in self.hubs]
        self.presence_store = MemoryPresenceStore(world.clock)
        self.reads = AskingReads(self.calls[0], world.broker, self.presence_store)
        self.asked: list[bytes] = []

    def _make_call(self, hub: Hub) -> RollCall:
        census = Census(hub)
        call = RollCall(self.world.broker, self.world.clock, census.answer)
        census.edge = call.edge
        return call

    async def join(
        self, edge: int, *channels: str, user: str = "", realm: RealmId = REALM, info: bytes | None = None
    ) -> RecordingSubscriber:
        """Return a new subscriber at one of the edges."""
        subscriber = RecordingSubscriber(realm=realm)
        subscriber.grant = Grant(user=user, info=info)
        hub = self.hubs[edge]
        hub.register(subscriber)
        async with asyncio.timeout(PATIENCE_S):
            await hub.join(subscriber, [(channel, None) for channel in channels])  # type: ignore[misc]
        return subscriber


@asynccontextmanager
async def read_world(world: EdgeWorld, *, edges: int = 2) -> AsyncIterator[ReadWorld]:
    """Run some edges beside the world's."""
    hubs = [
        Hub(broker=world.broker, activity=world.activity, limits=world.limits, clock=world.clock)
        for _ in range(edges - 1)
    ]
    world.broker.attach(Both(world.hub, *hubs))
    async with asyncio.TaskGroup() as tasks:
        for hub in hubs:
            hub.own_tasks(tasks)
        reading = ReadWorld(world, hubs)
        running = [tasks.create_task(call.run()) for call in reading.calls]
        await until(lambda: all(len(call.present()) == edges for call in reading.calls))
        yield reading
        for task in running:
            task.cancel()
