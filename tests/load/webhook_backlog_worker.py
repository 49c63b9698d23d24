"""A worker beside backlogs, as a process of its own: many deliveries wait for an endpoint that never answers, and for
one that is slow, and a quick one gets an event now and then. In turns without them, with each, and with a slow one that
few wait for, so that all meet the same machine.

Prints one line of JSON: what the quick one's events waited for, by turn; memory; what walks through the backlog.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import timedelta

import django
import uvloop

django.setup()

from asgiref.sync import sync_to_async  # noqa: E402 - Django is set up first
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402

from fanoutcloud.way_out import make_gate_rules, open_way_out  # noqa: E402
from publishing.models import WebhookAttempt, WebhookEndpoint  # noqa: E402
from publishing.webhooks.pump import Pump  # noqa: E402
from publishing.webhooks.relay import store_deliveries  # noqa: E402
from publishing.webhooks.sender import Sender  # noqa: E402
from tests.load.peers import resident_bytes  # noqa: E402
from tests.load.webhook_worker import events_of, make_endpoints  # noqa: E402
from tests.publishing.webhooks.plans import find_walks_of_claims, find_walks_of_others  # noqa: E402

KINDS = ("without", "dead", "slow", "few")
FEW = 1_000  # more than are called in all its turns
EVENTS_PER_TURN = 50
PAUSE_S = 0.02
#: Calls of the turn before have ended by then: they take a second at most.
SETTLE_S = 1.5
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


def let_be_called(bad: Mapping[str, WebhookEndpoint], kind: str) -> None:
    """Let one of the bad endpoints be called, or none of them, as if it had been well so far."""
    well = {"rests": 0, "rests_until": None, "failures_in_row": 0, "failing_since": None, "recent_attempts": []}
    for name, endpoint in bad.items():
        state = WebhookEndpoint.State.ACTIVE if name == kind else WebhookEndpoint.State.DISABLED
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(state=state, **well)


async def measure(
    bad: Mapping[str, WebhookEndpoint], quick: WebhookEndpoint, turns_each: int
) -> dict[str, list[list[float]]]:
    """Send events to the quick endpoint; return for each turn what they waited from row to answer, in ms."""
    waits: dict[str, list[list[float]]] = {kind: [] for kind in KINDS}
    turns = len(KINDS) * turns_each
    events = [event for chunk in events_of(quick.realm_id, turns * EVENTS_PER_TURN) for event in chunk]
    async with open_way_out(settings) as way_out:
        pump, stopping = Pump(Sender(way_out.client), make_gate_rules(settings)), asyncio.Event()
        running = asyncio.create_task(pump.run(stopping))
        for turn in range(turns):
            kind = KINDS[turn % len(KINDS)]
            await sync_to_async(let_be_called)(bad, kind)
            pump.wake()
            await asyncio.sleep(SETTLE_S)
            mine = events[turn * EVENTS_PER_TURN : (turn + 1) * EVENTS_PER_TURN]
            for event in mine:
                await sync_to_async(store_deliveries)([event])
                pump.wake()
                await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(1.0)
            waits[kind].append(await sync_to_async(read_waits)(quick, len(mine)))
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


def main(url: str, backlog: int, turns_each: int) -> None:
    """Fill, measure, tell. The slow endpoint's backlog is a tenth of the dead one's."""
    make_endpoints(url, 4)
    quick, dead, slow, few = WebhookEndpoint.objects.order_by("pk")
    WebhookEndpoint.objects.filter(pk=dead.pk).update(url=f"{url}/hang", timeout_s=1)
    WebhookEndpoint.objects.filter(pk__in=[slow.pk, few.pk]).update(url=f"{url}/slow")
    fill(dead, backlog)
    fill(slow, backlog // 10)
    fill(few, FEW)
    before_mb = resident_bytes(os.getpid()) / 1024**2
    bad = {"dead": dead, "slow": slow, "few": few}
    told: dict[str, object] = dict(uvloop.run(measure(bad, quick, turns_each)))
    let_be_called(bad, "dead")
    told |= {"before_mb": before_mb, "after_mb": resident_bytes(os.getpid()) / 1024**2}
    told["walks"] = [*find_walks_of_claims(dead), *find_walks_of_others(dead)]
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
