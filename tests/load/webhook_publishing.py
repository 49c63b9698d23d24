"""What an endpoint of webhooks costs those who publish and those who subscribe: two realms in turns on one Redis, one
of which has an endpoint, so that whatever else the machine does meets both alike.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from fanoutcloud.broker.base import LiveItem
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.activity import ActivitySink
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.webhooks import NO_WEBHOOKS, WebhookInterest
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from tests.fakes.activity import RecordingActivity
from tests.load.scenarios import Figure, Options
from tests.servers.redis import RedisServer

ROUNDS_PER_S = 600
CHANNEL = ChannelName("orders")
BLOCKS = 10


class _Clocks:
    """A hub's place: notes when each item comes."""

    def __init__(self) -> None:
        self.came_at: dict[str, float] = {}
        self.has_come = asyncio.Event()

    def on_items(self, items: Sequence[LiveItem]) -> None:
        for _, _, stored in items:
            self.came_at[stored.item.id or ""] = time.perf_counter()
        self.has_come.set()

    def on_reconnected(self) -> None: ...


async def measure_publishing(options: Options, folder: Path) -> list[Figure]:
    """Publish in turns, with and without webhooks; return what each waited, and how they compare."""
    (folder / "redis").mkdir()
    redis = RedisServer(folder / "redis", options=["--appendonly", "yes", "--appendfsync", "always"])
    redis.start()
    clock = SystemClock()
    broker, listening = RedisBroker(redis.url, clock), RedisBroker(redis.url, clock)
    clocks = _Clocks()
    try:
        await broker.start()
        await listening.start()
        listening.attach(clocks)
        outbox = RedisEventOutbox(broker, clock)
        wants = WebhookInterest((("channel.message", (parse_pattern("orders*"),)),))
        retention = Retention(items=100, age_s=60)
        realms = [
            RealmSnapshot(RealmId(secrets.token_hex(4)), (), retention, webhooks=webhooks)
            for webhooks in (NO_WEBHOOKS, wants)
        ]
        quiet: ActivitySink = RecordingActivity(RealmId("nobody"))
        publisher = Publisher(broker=broker, activity=quiet, limiter=PublishLimiter(clock), clock=clock, outbox=outbox)
        seen: list[list[float]] = [[], []]
        answered: list[list[float]] = [[], []]
        for realm in realms:
            await listening.subscribe(realm.realm, CHANNEL)
        for number in range(max(100, int(options.seconds * ROUNDS_PER_S))):
            turns = list(enumerate(realms))
            for which, realm in turns if number % 2 else reversed(turns):  # what one leaves behind meets both alike
                name = f"{which}-{number}"
                began = time.perf_counter()
                await publisher.publish_items(realm, [Item(CHANNEL, id=name, json_object=b'{"n":1}')], via="rest")
                answered[which].append(time.perf_counter() - began)
                await clocks.has_come.wait()
                clocks.has_come.clear()
                seen[which].append(clocks.came_at.pop(name) - began)
    finally:
        await broker.close()
        await listening.close()
        redis.kill()
    return _compare(seen, answered)


def _compare(seen: list[list[float]], answered: list[list[float]]) -> list[Figure]:
    """Return quantiles of seconds without webhooks and with, and how they compare."""
    rows = []
    for what, (without, with_) in (
        ("a subscriber's process has the item", seen),
        ("the publish is answered", answered),
    ):
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            before, after = _quantile(without, share), _quantile(with_, share)
            rows += [
                Figure("webhooks", f"{what}, {name}, no webhooks", before * 1000, "ms"),
                Figure("webhooks", f"{what}, {name}, with", after * 1000, "ms"),
                Figure("webhooks", f"{what}, {name}, with to without", after / before, "ratio"),
            ]
    return rows


def _quantile(values: list[float], share: float) -> float:
    """Return the median, over blocks in the order of time, of each block's quantile: a hiccup spoils one block."""
    size = max(1, len(values) // BLOCKS)
    blocks = [sorted(values[first : first + size]) for first in range(0, len(values) - size + 1, size)]
    return median(block[int(size * share)] for block in blocks)
