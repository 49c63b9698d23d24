"""Attempts that were lost: whoever had taken a delivery ended before it wrote down what came of the call.

That is noticed when the lease has ended and the delivery is taken again: such an attempt counts, and is logged.
"""

from collections.abc import Sequence
from itertools import groupby

from django.db import transaction
from django.utils import timezone

from publishing.models import WebhookAttempt, WebhookDelivery
from publishing.webhooks.calls import ClaimedRow
from publishing.webhooks.notices import tell_exhausted
from publishing.webhooks.schedule import MAX_ATTEMPTS

LOST = "lost"
MESSAGE = "the worker that had taken it ended before it wrote down an answer"
CURE = "nothing: it is sent again under the same id; the receiver may have got it already, and can tell by the id"


def note_losses(endpoint_id: int, claim: str, rows: Sequence[ClaimedRow]) -> list[ClaimedRow]:
    """Log attempts of rows just claimed that were lost; return those that are to be tried, in their order. Blocks.

    A delivery that has used up its attempts is given up: what ends each worker that takes it must not do so for ever.
    """
    lost = [row for row in rows if row.last_cause == LOST]  # or it was before, and was given back since
    if not lost:
        return list(rows)
    given_up = {row.id for row in lost if row.tries >= MAX_ATTEMPTS}
    with transaction.atomic():
        _log(lost)
        mine = WebhookDelivery.objects.filter(pk__in=given_up, claim=claim)
        if given_up and mine.update(state=WebhookDelivery.State.DEAD, claim="", finished_at=timezone.now()):
            tell_exhausted(endpoint_id, len(given_up))
    return [row for row in rows if row.id not in given_up]


def _log(rows: Sequence[ClaimedRow]) -> None:
    """Write what is not in the log yet: one entry for each call, at the first of a batch's deliveries."""
    ids = [row.id for row in rows]
    logged = set(WebhookAttempt.objects.filter(delivery__in=ids).values_list("delivery_id", "number"))
    now = timezone.now()
    entries = []
    for _, members in groupby(sorted(rows, key=lambda row: (_call_of(row), row.id)), key=_call_of):
        together = list(members)
        first = together[0]
        if (first.id, first.attempts) not in logged:
            entries.append(
                WebhookAttempt(
                    delivery_id=first.id, number=first.attempts, started_at=now, total_ms=0.0, cause=LOST,
                    message=MESSAGE, cure=CURE, events=len(together),
                )
            )  # fmt: skip
    WebhookAttempt.objects.bulk_create(entries)


def _call_of(row: ClaimedRow) -> tuple[str, int]:
    """Return what rows of one call have in common."""
    return (row.batch, 0) if row.batch else ("", row.id)
