"""How PostgreSQL would carry out what is asked of it: whether it walks through all deliveries."""

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from fanoutcloud.outbound.gate import GateRules
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.calls import Call
from publishing.webhooks.claims import Destinations, claim_calls, find_due_endpoints, find_next_due

#: A small part of what waits: for a large one, walking through all of a small table would be right.
CLAIMED = 20
_WALK = f"Seq Scan on {WebhookDelivery._meta.db_table}"


def find_walks(act: Callable[[], object]) -> list[str]:
    """Do something; return the plans of those of its statements that walk through all deliveries."""
    with CaptureQueriesContext(connection) as asked:
        act()
    plans = []
    for query in asked.captured_queries:
        if query["sql"].startswith(("SELECT", "UPDATE", "WITH")):
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {query['sql']}".replace("%", "%%"), ())
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
    assert plans, "nothing was asked"
    return [plan for plan in plans if _WALK in plan]


def claim_all(endpoint: WebhookEndpoint, count: int = CLAIMED) -> list[Call]:
    """Take what is due of an endpoint, as a worker does."""
    return claim_calls(Destinations(GateRules()).read(endpoint, timezone.now()), count, monotonic=0.0)


def find_walks_of_claims(endpoint: WebhookEndpoint) -> list[str]:
    """Look for what is due as the pump does, and claim some of it; return plans as above."""

    def look() -> None:
        find_due_endpoints(timezone.now(), "worker")
        find_next_due("worker")
        claim_all(endpoint)

    return find_walks(look)
