"""Reading much history on both brokers: whole, in order, and never much of it at a time."""

import asyncio

import pytest

from fanoutcloud.broker.base import MAX_PAGE_BYTES, Broker
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.connections.sinks import SinkOwner
from fanoutcloud.edge.encoding.wire import PREPARED_WEBSOCKET
from fanoutcloud.edge.hub.housekeeping import run_hub
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.limits import EdgeLimits
from tests.contracts.brokers import World, item, texts
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock

HELLO = ChannelName("hello")
CHANNELS = [ChannelName(f"channel-{number}") for number in range(10)]
#: The most that can be asked for.
KEEP_ALL = Retention(items=10_000, age_s=7 * 86_400)


async def fill(broker: Broker, world: World, channel: ChannelName, count: int) -> StreamPosition:
    """Publish items with the numbers from 0 on; return the position before the first."""
    start = await broker.subscribe(world.realm, channel)
    await broker.unsubscribe(world.realm, channel)
    for first in range(0, count, 500):
        numbers = range(first, min(first + 500, count))
        await broker.publish(world.realm, [item(n, channel) for n in numbers], retention=KEEP_ALL)
    return start


async def test_ten_thousand_items_are_kept_and_the_one_before_them_is_not(world: World) -> None:
    broker, _ = await world.open()
    start = await fill(broker, world, HELLO, 10_000)

    got: list[str] = []
    position = start
    while page := await broker.read_since(world.realm, HELLO, position, limit=1000):
        got += texts(page)
        position = page[-1].position

    assert got == [str(number) for number in range(10_000)]


async def test_a_page_ends_with_its_bytes_and_nothing_is_skipped(world: World) -> None:
    broker, _ = await world.open()
    start = await broker.subscribe(world.realm, HELLO)
    sizes = [10, 300_000, 300_000, 5, 2_000_000, 7, 400_000, 400_000, 400_000, 20, 20, *([3000] * 1000)]
    sent = ["x" * size for size in sizes]
    for first in range(0, len(sent), 50):
        await broker.publish(world.realm, [item(text) for text in sent[first : first + 50]], retention=KEEP_ALL)

    got: list[str] = []
    position = start
    while page := await broker.read_since(world.realm, HELLO, position, limit=500):
        *before_last, _ = texts(page)
        assert sum(map(len, before_last)) < MAX_PAGE_BYTES
        assert len(page) <= 500
        got += texts(page)
        position = page[-1].position

    assert [len(text) for text in got] == sizes


class CountingBroker:
    """Lets everything through, and knows how much of history was held at once."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.pages = 0
        self.largest_page = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    async def read_since(self, *place: object, limit: int) -> list[StoredItem]:
        page: list[StoredItem] = await self._broker.read_since(*place, limit=limit)  # type: ignore[arg-type]
        self.pages += 1
        self.largest_page = max(self.largest_page, len(page))
        return page


class PacedSink:
    """A client that reads only when it is waited for; remembers items and the most that was ever unsent."""

    def __init__(self) -> None:
        self.owner: SinkOwner | None = None
        self.items = 0
        self.unsent = 0
        self.most_unsent = 0
        self.waits = 0

    def write(self, frame: bytes) -> None:
        self.items += b'"type":"item"' in frame
        self.unsent += len(frame)
        self.most_unsent = max(self.most_unsent, self.unsent)

    def unsent_bytes(self) -> int:
        return self.unsent

    async def drained(self) -> None:
        self.waits += 1
        await asyncio.sleep(0)
        self.unsent = 0

    def close(self, code: int, reason: str) -> None:
        raise AssertionError(f"closed with {code} {reason}")


@pytest.mark.slow
async def test_a_hundred_thousand_missed_items_stream_in_bounded_memory(world: World) -> None:
    real, _ = await world.open()
    starts = {channel: await fill(real, world, channel, 10_000) for channel in CHANNELS}
    broker, limits = CountingBroker(real), EdgeLimits()
    hub = Hub(broker=broker, activity=RecordingActivity(world.realm), limits=limits, clock=SteppedClock())  # type: ignore[arg-type]
    running = asyncio.create_task(run_hub(hub, broker))  # type: ignore[arg-type]
    try:
        subscriber, sink = Subscriber(world.realm, PREPARED_WEBSOCKET, address="192.0.2.1"), PacedSink()
        subscriber.sink = sink
        await asyncio.sleep(0)
        hub.register(subscriber)

        await hub.join(subscriber, [(channel, starts[channel]) for channel in CHANNELS])

        assert sink.items == 100_000
        assert broker.largest_page <= limits.catch_up_page_items
        assert broker.pages >= 100_000 / limits.catch_up_page_items
        assert sink.most_unsent <= limits.catch_up_bytes + 1000  # one message more
        assert sink.waits > 50
    finally:
        running.cancel()
        await asyncio.wait([running])
