"""Writing down what came of calls: rows and attempt log in bulk, then how the endpoints do."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction

from publishing.models import MAX_CAUSE_CHARACTERS, WebhookAttempt, WebhookDelivery
from publishing.webhooks.bulk import Row, columns_of, run_for_rows
from publishing.webhooks.calls import Outcome
from publishing.webhooks.health import note_outcomes
from publishing.webhooks.log_rules import cut_headers, cut_text
from publishing.webhooks.notices import tell_exhausted
from publishing.webhooks.schedule import next_attempt

State = WebhookDelivery.State
_DELIVERIES, _ATTEMPTS = WebhookDelivery._meta.db_table, WebhookAttempt._meta.db_table
_CHANGED = columns_of(WebhookDelivery, ("id", "claim", "state", "due_at", "last_status", "last_cause", "finished_at"))
_STATE = list(_CHANGED).index("state")
_CHANGE = (
    f"UPDATE {_DELIVERIES} SET state = r.state, claim = '', due_at = coalesce(r.due_at, {_DELIVERIES}.due_at),"  # noqa: S608
    " attempts = attempts + 1, tries = tries + 1, last_status = r.last_status, last_cause = r.last_cause,"
    " finished_at = r.finished_at FROM {rows}"
    f" WHERE {_DELIVERIES}.id = r.id AND {_DELIVERIES}.claim = r.claim AND {_DELIVERIES}.state = 'waiting'"
)
_LOGGED = columns_of(
    WebhookAttempt,
    (
        "delivery_id", "number", "started_at", "dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "total_ms", "address",
        "status", "cause", "message", "cure", "events", "request_headers", "response_headers", "answer",
    ),
)  # fmt: skip
#: Of a delivery that was removed meanwhile nothing is logged.
_LOG = (
    f"INSERT INTO {_ATTEMPTS} ({', '.join(_LOGGED)}) SELECT {', '.join(_LOGGED)} FROM {{rows}}"  # noqa: S608
    f" WHERE EXISTS (SELECT 1 FROM {_DELIVERIES} WHERE id = r.delivery_id)"
)


@transaction.atomic
def write_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Store all of it in one transaction. Blocks.

    A row whose lease had ended, and that somebody else has taken since, is left to them; the attempt is logged.
    """
    changes: list[Row] = []
    by_endpoint: dict[int, list[Outcome]] = {}
    exhausted: Counter[int] = Counter()
    for outcome in outcomes:
        endpoint_id, rows = outcome.call.destination.endpoint_id, _changes(outcome)
        changes += rows
        by_endpoint.setdefault(endpoint_id, []).append(outcome)
        if rows[0][_STATE] == State.DEAD and not outcome.verdict.is_final:
            exhausted[endpoint_id] += len(rows)
    run_for_rows(_CHANGE, _CHANGED, sorted(changes, key=_first))  # in one order: two workers lock none crosswise
    run_for_rows(_LOG, _LOGGED, [_attempt(outcome) for outcome in outcomes])
    note_outcomes(by_endpoint)
    for endpoint_id, count in sorted(exhausted.items()):
        tell_exhausted(endpoint_id, count)


def _first(row: Row) -> int:
    return int(row[0])


def _changes(outcome: Outcome) -> list[Row]:
    """Return what becomes of each delivery of a call, as `_CHANGED`."""
    call, verdict = outcome.call, outcome.verdict
    due_at = None if verdict.is_delivered else _next_due(outcome)
    state = State.DELIVERED if verdict.is_delivered else State.WAITING if due_at else State.DEAD
    finished_at = None if due_at else outcome.ended_at
    return [(row.id, call.claim, state.value, due_at, verdict.status, verdict.cause, finished_at) for row in call.rows]


def _next_due(outcome: Outcome) -> datetime | None:
    """Return when a call that failed is to be made again; None: never."""
    tries = max(row.tries for row in outcome.call.rows) + 1
    due_at = next_attempt(outcome.verdict, tries, outcome.ended_at, random.uniform)
    if due_at is None:
        return None
    return outcome.ended_at + (due_at - outcome.ended_at) * settings.WEBHOOK_DELAY_FACTOR


def _attempt(outcome: Outcome) -> Row:
    """Return the entry of the log, as `_LOGGED`."""
    call, verdict, trace = outcome.call, outcome.verdict, outcome.trace
    hidden = call.destination.headers
    return (
        call.first.id,
        call.first.attempts + 1,
        outcome.started_at,
        _ms(trace.dns_s),
        _ms(trace.connect_s),
        _ms(trace.tls_s),
        outcome.first_byte_ms,
        outcome.total_ms,
        trace.address,
        verdict.status,
        verdict.cause,
        cut_text(verdict.message, hidden)[:MAX_CAUSE_CHARACTERS],
        verdict.cure[:MAX_CAUSE_CHARACTERS],
        len(call.rows),
        cut_headers(outcome.request_headers, hidden),
        cut_headers(outcome.response_headers, hidden),
        cut_text(outcome.answer, hidden),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
