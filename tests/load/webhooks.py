"""What webhooks do per second, and what they cost those who publish and those who subscribe.

Deliveries: one worker's pump against a receiver in a process of its own, with real rows in PostgreSQL, TLS off.
Publishing: two realms in turns on one Redis, one of which has an endpoint, so that whatever else the machine does meets
both alike.
"""

import asyncio
import json
import secrets
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.activity import ActivitySink
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.core.webhooks import NO_WEBHOOKS, WebhookInterest
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from tests.fakes.activity import RecordingActivity
from tests.load.scenarios import Figure, Options
from tests.load.server import ROOT
from tests.servers.command import clean_environment
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

EVENTS = 5_000
ROUNDS = 3_000
CHANNEL = ChannelName("orders")

_SINK = """
import sys, time
from tests.servers.webhook_sink import running_sink
with running_sink() as sink:
    sink.keeps = False
    print(sink.port, flush=True)
    sys.stdin.read()
"""
_PUMP = """
import asyncio, json, sys, time, django
django.setup()
from django.conf import settings
from accounts.models import User
from fanoutcloud.core.items import Item
from fanoutcloud.core.webhooks import HookEvent
from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.models import WebhookAttempt, WebhookDelivery
from publishing.webhooks.endpoints import create_endpoint
from publishing.webhooks.pump import Pump
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.sender import Sender
from realms.services import create_realm
url, count, endpoints = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
realms = []
for number in range(endpoints):
    owner = User.objects.create_user(f"bench{time.time_ns()}@example.com", "correct horse battery")
    realm = create_realm(owner=owner).realm
    create_endpoint(realm=realm, url=f"{url}/{number}")
    realms.append(realm.pk)
def events(realm, first, last):
    for n in range(first, last):
        item = Item("orders", json_object=b'{"n":%d,"text":"%b"}' % (n, b"x" * 200))
        yield HookEvent(realm, "channel.message", f"item:orders:abc:{n}", time.time(), "orders", f"abc:{n}", item)
began = time.perf_counter()
for realm in realms:
    each = count // endpoints
    for first in range(0, each, 500):
        store_deliveries(list(events(realm, first, min(first + 500, each))))
stored_s = time.perf_counter() - began
async def send():
    async with open_way_out(settings) as way_out:
        pump = Pump(Sender(way_out.client), make_gate_rules(settings))
        began, cpu = time.perf_counter(), time.process_time()
        await pump.drain()
        took = time.perf_counter() - began, time.process_time() - cpu
        await pump.close()
        return took
took_s, cpu_s = asyncio.run(send())
print(json.dumps({
    "took_s": took_s, "cpu_s": cpu_s, "stored_s": stored_s,
    "left": WebhookDelivery.objects.exclude(state="delivered").count(), "attempts": WebhookAttempt.objects.count(),
}))
"""


async def measure_webhooks(options: Options, folder: Path) -> list[Figure]:
    """Deliveries per second of one worker; then what an endpoint costs a publish."""
    return [*await asyncio.to_thread(_measure_deliveries, folder), *await _measure_publishing(folder)]


def _measure_deliveries(folder: Path) -> list[Figure]:
    with ExitStack() as stack:
        (folder / "postgres").mkdir()
        (folder / "data").mkdir()
        folder.chmod(0o755)
        postgres = PostgresServer(folder / "postgres")
        postgres.start()
        stack.callback(postgres.stop)
        environment = clean_environment() | {
            "DATABASE_URL": postgres.url, "DATA_DIR": str(folder / "data"), "ALLOWED_TARGETS": "127.0.0.0/8",
            "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings",
        }  # fmt: skip
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
        sink = subprocess.Popen(
            [sys.executable, "-c", _SINK], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(sink.communicate, "")
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
        figures = []
        for endpoints in (1, 20):
            command = [sys.executable, "-c", _PUMP, url, str(EVENTS), str(endpoints)]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            told = json.loads(done.stdout)
            what = f"deliveries to {endpoints} endpoint{'s' * (endpoints > 1)}, rows and log written"
            fault = f"{told['left']} were not delivered" if told["left"] else ""
            figures += [
                Figure("webhooks", what, EVENTS / told["took_s"], "per s", "≥ 1,000", fault),
                Figure("webhooks", f"{what}: CPU of the worker", told["cpu_s"] / EVENTS * 1e6, "us each"),
                Figure("webhooks", "events stored by the relay", EVENTS / told["stored_s"], "per s"),
            ]
        return figures


class _Clocks:
    """A hub's place: notes when each item comes."""

    def __init__(self) -> None:
        self.came_at: dict[str, float] = {}
        self.has_come = asyncio.Event()

    def on_item(self, realm: RealmId, channel: ChannelName, stored: StoredItem) -> None:
        self.came_at[stored.item.id or ""] = time.perf_counter()
        self.has_come.set()

    def on_reconnected(self) -> None: ...


async def _measure_publishing(folder: Path) -> list[Figure]:
    (folder / "redis").mkdir()
    redis = RedisServer(folder / "redis")
    redis.start()
    clock = SystemClock()
    broker, listening = RedisBroker(redis.url, clock), RedisBroker(redis.url, clock)
    clocks = _Clocks()
    try:
        await broker.start()
        await listening.start()
        listening.attach(clocks)
        outbox = RedisEventOutbox(broker.connection_for, clock)
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
        for number in range(ROUNDS):
            for which, realm in enumerate(realms):
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
    return sorted(values)[int(len(values) * share)]
