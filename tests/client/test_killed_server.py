"""A server that is killed while 200 channels are read and published to: nothing is missing, nothing comes twice."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator

import pytest

from fanoutcloud_client import AsyncFanout, Item, ReceivedItem, Subscribed
from fanoutcloud_client.subscriptions import AsyncSubscription
from fanoutcloud_client.transports.ladder import ALL_TRANSPORTS
from tests.servers.product import Product

CHANNELS = [f"log.{number}" for number in range(200)]
ROUNDS_EACH = 8  # before the kill, and after the return
WAIT_S = 60.0


@pytest.fixture
def durable(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Product]:
    """A server whose items outlive it, in Redis."""
    product = Product(tmp_path_factory.mktemp("killed"), environment={"REDIS_URL": redis_url})
    try:
        product.start()
        yield product
    finally:
        product.kill()


class Reader:
    """Reads a subscription to all channels, and keeps what came by channel."""

    def __init__(self, subscription: AsyncSubscription) -> None:
        self.subscription = subscription
        self.ready: set[str] = set()
        self.came: defaultdict[str, list[object]] = defaultdict(list)

    async def run(self) -> None:
        async for event in self.subscription:
            assert isinstance(event, ReceivedItem | Subscribed), event
            if isinstance(event, Subscribed):
                self.ready.add(event.channel)
            else:
                self.came[event.channel].append(event.data)

    async def until(self, *, ready: int = 0, rounds: int = 0) -> None:
        async with asyncio.timeout(WAIT_S):
            while len(self.ready) < ready or any(len(self.came[channel]) < rounds for channel in CHANNELS):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


class Publisher:
    """Publishes a number to every channel, again and again; what isn't answered is sent until it is."""

    def __init__(self, fanout: AsyncFanout) -> None:
        self._fanout = fanout
        self.rounds = 0

    async def run(self) -> None:
        while True:
            await self._fanout.publish_items([Item(channel, self.rounds) for channel in CHANNELS])
            self.rounds += 1
            await asyncio.sleep(0.05)

    async def until(self, rounds: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while self.rounds < rounds:  # noqa: ASYNC110 - a few turns away
                await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_200_channels_over_every_transport_survive_a_killed_server(durable: Product) -> None:
    realm = durable.create_realm()
    async with AsyncFanout(durable.url, realm.realm, key=realm.key, patience_s=50) as fanout:
        readers = [Reader(fanout.subscribe(*CHANNELS, transports=[name])) for name in ALL_TRANSPORTS]
        publisher = Publisher(fanout)
        reading = [asyncio.create_task(reader.run()) for reader in readers]
        for reader in readers:
            await reader.until(ready=len(CHANNELS))
        publishing = asyncio.create_task(publisher.run())

        await publisher.until(ROUNDS_EACH)
        await asyncio.to_thread(durable.kill)
        await asyncio.to_thread(durable.start)
        await publisher.until(publisher.rounds + ROUNDS_EACH)
        publishing.cancel()
        for reader in readers:
            await reader.until(rounds=publisher.rounds)
        for reader, task in zip(readers, reading, strict=True):
            assert not task.done(), task
            await reader.subscription.close()
        await asyncio.gather(*reading, publishing, return_exceptions=True)

    whole = list(range(publisher.rounds))
    for reader in readers:
        assert len(reader.came) == len(CHANNELS)
        for came in reader.came.values():
            assert came in (whole, [*whole, publisher.rounds])  # the last may have been stored, but not answered
