"""How PostgreSQL carries out what is asked of it: how many deliveries it looks at for that."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fanoutcloud.outbound.gate import GateRules
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.calls import Call
from publishing.webhooks.claims import Destinations, claim_calls, find_due_endpoints, find_next_due
from publishing.webhooks.replays import replay_since
from publishing.webhooks.retention import forget_old_deliveries
from publishing.webhooks.selectors import list_deliveries

#: A small part of what waits: for a large one, walking through all of a small table would be right.
CLAIMED = 20
#: Whoever looks at more rows than this for one statement walks through them.
MOST_ROWS = 500
_TABLE = WebhookDelivery._meta.db_table
_INDEXES = {index.name for index in WebhookDelivery._meta.indexes}


def find_walks(act: Callable[[], object]) -> list[str]:
    """Do something; return those of its statements that walk through deliveries, each with how many those are.

    Statements are run once more to count, and undone.
    """
    with CaptureQueriesContext(connection) as asked:
        act()
    statements = [query["sql"] for query in asked.captured_queries if query["sql"].startswith(_COUNTED)]
    assert statements, "nothing was asked"
    counts = [(_count_rows(statement), statement) for statement in statements]
    return [f"{rows:,} rows: {statement}" for rows, statement in counts if rows > MOST_ROWS]


_COUNTED = ("SELECT", "UPDATE", "DELETE", "WITH")


def _count_rows(statement: str) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}".replace("%", "%%")
        cursor.execute(explained, ())
        told = cursor.fetchone()[0]
        transaction.set_rollback(True)
    plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return sum(
        int(node["Actual Loops"] * sum(node.get(name, 0) for name in _SEEN))
        for node in _nodes(plan)
        if node["Node Type"].endswith("Scan") and (node.get("Relation Name") == _TABLE or _is_ours(node))
    )


_SEEN = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")


def _is_ours(node: dict[str, Any]) -> bool:
    return node["Node Type"] == "Bitmap Index Scan" and node["Index Name"] in _INDEXES


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def claim_all(endpoint: WebhookEndpoint, count: int = CLAIMED) -> list[Call]:
    """Take what is due of an endpoint, as a worker does."""
    return claim_calls(Destinations(GateRules()).read(endpoint, timezone.now()), count, monotonic=0.0)


def find_walks_of_claims(endpoint: WebhookEndpoint) -> list[str]:
    """Look for what is due as the pump does, and claim some of it; return walks as above."""

    def look() -> None:
        find_due_endpoints(timezone.now(), "worker")
        find_next_due("worker")
        claim_all(endpoint)

    return find_walks(look)


def find_walks_of_lists(endpoint: WebhookEndpoint) -> list[str]:
    """List deliveries as pages and the API do; return walks as above."""
    realm = endpoint.realm

    def look() -> None:
        list(list_deliveries(realm)[:51])
        list(list_deliveries(realm, endpoint_id=endpoint.pk)[:51])
        list(list_deliveries(realm, state="dead")[:51])

    return find_walks(look)


def find_walks_of_others(endpoint: WebhookEndpoint) -> list[str]:
    """Look one up, replay what was given up, and forget what is old; return walks as above."""

    def look() -> None:
        list(list_deliveries(endpoint.realm, webhook_id="evt_none")[:51])
        replay_since(realm=endpoint.realm, endpoint_id=endpoint.pk, since=endpoint.created_at)
        forget_old_deliveries()

    return find_walks(look)
