"""A hub with a broker, a clock and sinks that obey the test."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.encoding.frames import unframed
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, JsonLinesWire, WireFormat
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.limits import EdgeLimits
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.gated_broker import GatedBroker
from tests.fakes.sink import RecordingSink

REALM = RealmId("0a1b2c3d")
HELLO = ChannelName("hello")
PATIENCE_S = 10.0
KEEP = Retention(items=5000, age_s=300.0)

Message = dict[str, Any]


class CountingWire(JsonLinesWire):
    """Counts how often items are encoded."""

    def __init__(self) -> None:
        super().__init__(unframed)
        self.encoded = 0

    def item(self, stored: StoredItem) -> bytes:
        self.encoded += 1
        return super().item(stored)


class RecordingSubscriber(Subscriber):
    """A subscriber of JSON lines whose connection is a `RecordingSink`."""

    sink: RecordingSink

    def __init__(self, wire: WireFormat = PLAIN_JSON_LINES, *, realm: RealmId = REALM) -> None:
        super().__init__(realm, wire, address="192.0.2.1")
        self.sink = RecordingSink()

    @property
    def messages(self) -> list[Message]:
        return [json.loads(line) for frame in self.sink.frames for line in frame.splitlines()]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]

    @property
    def numbers(self) -> list[int]:
        """The JSON of the items that came."""
        return [message["data"] for message in self.messages if message["type"] == "item"]


class IndividualSubscriber(RecordingSubscriber):
    """The same, delivered to one by one."""

    is_shared = False


class EdgeWorld:
    """One process's hub. Everything happens in one realm unless a test says otherwise."""

    def __init__(self, limits: EdgeLimits | None = None) -> None:
        self.clock = SteppedClock()
        self.broker = GatedBroker(self.clock)
        self.activity = RecordingActivity(REALM)
        self.limits = limits or EdgeLimits()
        self.hub = Hub(broker=self.broker, activity=self.activity, limits=self.limits, clock=self.clock)
        self._tasks: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["EdgeWorld"]:
        """Run the hub's tasks; those still under way end with the block."""
        started = asyncio.Event()

        async def own_tasks() -> None:
            async with asyncio.TaskGroup() as tasks:
                self.hub.own_tasks(tasks)
                started.set()
                await asyncio.get_running_loop().create_future()

        owner = asyncio.create_task(own_tasks())
        await started.wait()
        try:
            yield self
        finally:
            owner.cancel()
            await asyncio.wait([owner])
            await self.broker.close()

    async def publish(self, *numbers: int, channel: str = HELLO, realm: RealmId = REALM) -> list[PublishResult]:
        """Publish numbers as items."""
        items = [Item(channel=ChannelName(channel), json_object=str(number).encode()) for number in numbers]
        results = await self.broker.publish(realm, items, retention=KEEP)
        await asyncio.sleep(0)  # the end of this turn of the loop: what was gathered is written
        return results

    async def publish_item(self, **members: Any) -> None:
        """Publish one item to the channel `hello`."""
        await self.broker.publish(REALM, [Item(channel=HELLO, **members)], retention=KEEP)

    async def top(self, channel: str = HELLO) -> StreamPosition:
        """Return the channel's newest position."""
        [position] = await self.broker.positions([(REALM, ChannelName(channel))])
        return position

    async def join(self, subscriber: Subscriber, *channels: str, since: StreamPosition | None = None) -> None:
        """Register and join, as transports do."""
        self.hub.register(subscriber)
        wanted = [(ChannelName(channel), since) for channel in channels or (HELLO,)]
        async with asyncio.timeout(PATIENCE_S):
            await self.hub.join(subscriber, wanted)

    async def joined(self, wire: WireFormat = PLAIN_JSON_LINES) -> RecordingSubscriber:
        """Return a new subscriber of `hello`."""
        subscriber = RecordingSubscriber(wire)
        await self.join(subscriber)
        return subscriber

    def events(self, kind: type) -> list[Any]:
        """Return what was told to those who watch the realm."""
        return [event for realm, event in self.activity.events if realm == REALM and isinstance(event, kind)]


async def until(condition: Callable[[], bool]) -> None:
    """Let everything else on the loop go on until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what it waits for has no event, and is a few turns away
            await asyncio.sleep(0)


def run_in_world(test: Callable[[EdgeWorld], Awaitable[None]]) -> None:
    """Run an asynchronous test in a new world on a loop of its own, for tests that hypothesis repeats."""

    async def run() -> None:
        async with EdgeWorld().running() as world:
            await test(world)

    asyncio.run(run())
