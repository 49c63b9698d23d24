"""A worker beside a backlog, as a process of its own: many deliveries wait for an endpoint that never answers, and a
quick one gets an event now and then. In turns without the dead one and with it, so that both meet the same machine.

Prints one line of JSON: what the quick one's events waited for, by turn; memory; how the database finds what is due.
"""

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path

import django
import uvloop

django.setup()

from asgiref.sync import sync_to_async  # noqa: E402 - Django is set up first
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from fanoutcloud.way_out import make_gate_rules, open_way_out  # noqa: E402
from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint  # noqa: E402
from publishing.webhooks.pump import Pump  # noqa: E402
from publishing.webhooks.relay import store_deliveries  # noqa: E402
from publishing.webhooks.sender import Sender  # noqa: E402
from tests.load.webhook_worker import events_of, make_endpoints  # noqa: E402
from tests.publishing.webhooks.plans import find_walks_of_claims  # noqa: E402

TURNS = 6  # of each kind
EVENTS_PER_TURN = 50
PAUSE_S = 0.02
_FILL = """
INSERT INTO publishing_webhookdelivery (realm_id, endpoint_id, webhook_id, kind, channel, position, order_key, batch,
  method, headers, body, state, due_at, claim, attempts, tries, replays, last_cause, event_at, created_at)
SELECT %s, %s, 'evt_backlog_' || n, 'channel.message', 'orders', '', '', '', 'POST', '[]', %s, 'waiting',
  now() - interval '1 hour' + n * interval '1 ms', '', 0, 0, 0, '', now(), now() FROM generate_series(1, %s) AS n
"""


def fill(dead: WebhookEndpoint, count: int) -> None:
    """Have so many deliveries wait for an endpoint."""
    with connection.cursor() as cursor:
        cursor.execute(_FILL, [dead.realm_id, dead.pk, b"x" * 300, count])
        cursor.execute("ANALYZE")


def set_dead(dead: WebhookEndpoint, *, is_there: bool) -> None:
    """Let the dead endpoint be called, or not."""
    state = WebhookEndpoint.State.ACTIVE if is_there else WebhookEndpoint.State.DISABLED
    WebhookEndpoint.objects.filter(pk=dead.pk).update(
        state=state, rests=0, rests_until=None, failures_in_row=0, failing_since=None
    )


async def measure(dead: WebhookEndpoint, quick: WebhookEndpoint) -> dict[str, list[float]]:
    """Send events to the quick endpoint in turns; return what each waited from its row to its answer, in ms."""
    waits: dict[str, list[float]] = {"without": [], "with": []}
    events = [event for chunk in events_of(quick.realm_id, 2 * TURNS * EVENTS_PER_TURN) for event in chunk]
    async with open_way_out(settings) as way_out:
        pump, stopping = Pump(Sender(way_out.client), make_gate_rules(settings)), asyncio.Event()
        running = asyncio.create_task(pump.run(stopping))
        for turn in range(2 * TURNS):
            await sync_to_async(set_dead)(dead, is_there=bool(turn % 2))
            pump.wake()
            await asyncio.sleep(0.5)
            mine = events[turn * EVENTS_PER_TURN : (turn + 1) * EVENTS_PER_TURN]
            for event in mine:
                await sync_to_async(store_deliveries)([event])
                pump.wake()
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(1.0)
            waits["with" if turn % 2 else "without"] += await sync_to_async(read_waits)(quick, len(mine))
        stopping.set()
        pump.wake()
        await running
    return waits


def read_waits(quick: WebhookEndpoint, count: int) -> list[float]:
    """Return what the newest deliveries waited for."""
    rows = WebhookAttempt.objects.filter(delivery__endpoint=quick).order_by("-pk").select_related("delivery")[:count]
    return [
        (one.started_at + timedelta(milliseconds=one.total_ms) - one.delivery.created_at).total_seconds() * 1000
        for one in rows
    ]


def memory_mb() -> float:
    """Return what this process holds in memory."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:")) / 1024


def main(url: str, backlog: int) -> None:
    """Fill, measure, tell."""
    make_endpoints(url, 2)
    quick, dead = WebhookEndpoint.objects.order_by("pk")
    WebhookEndpoint.objects.filter(pk=dead.pk).update(url=f"{url}/hang", timeout_s=1)
    fill(dead, backlog)
    before_mb = memory_mb()
    told: dict[str, object] = dict(uvloop.run(measure(dead, quick)))
    told |= {"before_mb": before_mb, "after_mb": memory_mb(), "walks": find_walks_of_claims(dead)}
    told["waiting"] = WebhookDelivery.objects.filter(endpoint=dead, state="waiting").count()
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
