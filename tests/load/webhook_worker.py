"""A worker's share of the webhooks scenario, as a process of its own: stores events as rows, then makes the calls.

Prints one line of JSON: seconds by the clock, CPU seconds of its own, of the receiver and of the database.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import django
import uvloop

django.setup()

from django.conf import settings  # noqa: E402 - Django is set up first
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from fanoutcloud.core.items import Item  # noqa: E402
from fanoutcloud.core.names import ChannelName, RealmId  # noqa: E402
from fanoutcloud.core.webhooks import HookEvent  # noqa: E402
from fanoutcloud.way_out import make_gate_rules, open_way_out  # noqa: E402
from publishing.models import WebhookAttempt, WebhookDelivery  # noqa: E402
from publishing.webhooks.endpoints import create_endpoint  # noqa: E402
from publishing.webhooks.engine import EVENTS_AT_ONCE  # noqa: E402
from publishing.webhooks.pump import Pump  # noqa: E402
from publishing.webhooks.relay import store_deliveries  # noqa: E402
from publishing.webhooks.sender import Sender  # noqa: E402
from realms.services import create_realm  # noqa: E402

TEXT = b"x" * 200
TICKS_PER_S = 100


def make_endpoints(url: str, count: int) -> list[str]:
    """Make realms of one endpoint each; return their ids."""
    realms = []
    for number in range(count):
        owner = User.objects.create_user(f"bench{time.time_ns()}@example.com", "correct horse battery")
        realm = create_realm(owner=owner).realm
        create_endpoint(realm=realm, url=f"{url}/{number}")
        realms.append(realm.pk)
    return realms


def events_of(realm: str, count: int) -> Iterator[list[HookEvent]]:
    """Yield events of a realm, as many at once as a relay takes."""
    for first in range(0, count, EVENTS_AT_ONCE):
        numbers = range(first, min(first + EVENTS_AT_ONCE, count))
        items = [Item(ChannelName("orders"), json_object=b'{"n":%d,"text":"%b"}' % (n, TEXT)) for n in numbers]
        yield [
            HookEvent(
                RealmId(realm), "channel.message", f"item:orders:abc:{n}", time.time(), "orders", f"abc:{n}", item
            )
            for n, item in zip(numbers, items, strict=True)
        ]


def cpu_s_of(pid: int) -> float:
    """Return the CPU seconds of a process and of its children, those that have ended included."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(folder.name) == pid:
            total += sum(map(int, fields[11:15]))
        elif int(fields[1]) == pid:
            total += sum(map(int, fields[11:13]))
    return total / TICKS_PER_S


async def deliver(others: dict[str, int]) -> dict[str, float]:
    """Make all calls; return what that took."""
    async with open_way_out(settings) as way_out:
        pump = Pump(Sender(way_out.client), make_gate_rules(settings))
        before = {name: cpu_s_of(pid) for name, pid in others.items()}
        began, cpu = time.perf_counter(), time.process_time()
        await pump.drain()
        took = {"took_s": time.perf_counter() - began, "worker_cpu_s": time.process_time() - cpu}
        took |= {f"{name}_cpu_s": cpu_s_of(pid) - before[name] for name, pid in others.items()}
        await pump.close()
        return took


def main(url: str, events: int, endpoints: int, others: dict[str, int]) -> None:
    """Store, deliver, tell."""
    realms = make_endpoints(url, endpoints)
    chunks = [chunk for realm in realms for chunk in events_of(realm, events // endpoints)]
    began, cpu = time.perf_counter(), time.process_time()
    for chunk in chunks:
        store_deliveries(chunk)
    told = {"stored_s": time.perf_counter() - began, "stored_cpu_s": time.process_time() - cpu}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as a database that has been up for a minute has done by itself
    told |= uvloop.run(deliver(others))
    told["left"] = WebhookDelivery.objects.exclude(state="delivered").count()
    told["attempts"] = WebhookAttempt.objects.count()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), {"receiver": int(sys.argv[4]), "database": int(sys.argv[5])})
