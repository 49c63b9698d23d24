"""Writing down what came of calls: rows and attempt log in bulk, then how the endpoints do."""

import random
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from publishing.models import MAX_CAUSE_CHARACTERS, WebhookAttempt, WebhookDelivery
from publishing.webhooks.calls import Outcome
from publishing.webhooks.health import note_outcomes
from publishing.webhooks.log_rules import cut_headers, cut_text
from publishing.webhooks.schedule import next_attempt

ROWS_PER_INSERT = 500
State = WebhookDelivery.State


@transaction.atomic
def write_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Store all of it in one transaction. Blocks.

    A row whose lease had ended, and that somebody else has taken since, is left to them; the attempt is logged.
    """
    _write_delivered([outcome for outcome in outcomes if outcome.verdict.is_delivered])
    for outcome in outcomes:
        if not outcome.verdict.is_delivered:
            _write_failed(outcome)
    _log(outcomes)
    by_endpoint: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_endpoint.setdefault(outcome.call.destination.endpoint_id, []).append(outcome)
    for endpoint_id in sorted(by_endpoint):  # in one order, so that two workers lock none crosswise
        note_outcomes(endpoint_id, by_endpoint[endpoint_id])


def _write_delivered(outcomes: Sequence[Outcome]) -> None:
    groups: dict[tuple[str, int | None], list[int]] = {}
    for outcome in outcomes:
        ids = groups.setdefault((outcome.call.claim, outcome.verdict.status), [])
        ids += [row.id for row in outcome.call.rows]
    for (claim, status), ids in groups.items():
        WebhookDelivery.objects.filter(pk__in=ids, claim=claim, state=State.WAITING).update(
            state=State.DELIVERED, claim="", attempts=F("attempts") + 1, tries=F("tries") + 1, last_status=status,
            last_cause="", finished_at=outcomes[-1].ended_at,
        )  # fmt: skip


def _write_failed(outcome: Outcome) -> None:
    call, verdict = outcome.call, outcome.verdict
    tries = max(row.tries for row in call.rows) + 1
    due_at = next_attempt(verdict, tries, outcome.ended_at, random.uniform)
    changes: dict[str, object] = {"state": State.DEAD, "finished_at": outcome.ended_at}
    if due_at is not None:
        delay_s = (due_at - outcome.ended_at).total_seconds() * settings.WEBHOOK_DELAY_FACTOR
        changes = {"due_at": outcome.ended_at + timedelta(seconds=delay_s)}
    ids = [row.id for row in call.rows]
    WebhookDelivery.objects.filter(pk__in=ids, claim=call.claim, state=State.WAITING).update(
        claim="", attempts=F("attempts") + 1, tries=F("tries") + 1, last_status=verdict.status,
        last_cause=verdict.cause, **changes,
    )  # fmt: skip


def _log(outcomes: Sequence[Outcome]) -> None:
    ids = [outcome.call.first.id for outcome in outcomes]
    there = set(WebhookDelivery.objects.filter(pk__in=ids).values_list("pk", flat=True))  # else removed meanwhile
    attempts = [_attempt(outcome) for outcome in outcomes if outcome.call.first.id in there]
    WebhookAttempt.objects.bulk_create(attempts, batch_size=ROWS_PER_INSERT)


def _attempt(outcome: Outcome) -> WebhookAttempt:
    call, verdict, trace = outcome.call, outcome.verdict, outcome.trace
    return WebhookAttempt(
        delivery_id=call.first.id,
        number=call.first.attempts + 1,
        started_at=outcome.started_at,
        dns_ms=_ms(trace.dns_s),
        connect_ms=_ms(trace.connect_s),
        tls_ms=_ms(trace.tls_s),
        first_byte_ms=outcome.first_byte_ms,
        total_ms=outcome.total_ms,
        address=trace.address,
        status=verdict.status,
        cause=verdict.cause,
        message=verdict.message[:MAX_CAUSE_CHARACTERS],
        cure=verdict.cure[:MAX_CAUSE_CHARACTERS],
        events=len(call.rows),
        request_headers=cut_headers(outcome.request_headers),
        response_headers=cut_headers(outcome.response_headers),
        answer=cut_text(outcome.answer),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
