"""Forgetting deliveries that are over, and the log of their attempts. In steps, so that no lock is held for long."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from publishing.models import HistoryReplay, WebhookAttempt, WebhookDelivery

STEP_ROWS = 5_000
#: One run ends by then; the next one goes on.
RUN_S = 60.0
#: What has waited for longer than the schedule lasts, at an endpoint that is paused or disabled, is given up.
MAX_WAIT = timedelta(days=14)

State = WebhookDelivery.State


def forget_old_deliveries() -> int:
    """Delete what is older than `WEBHOOK_RETENTION`; return how many deliveries that were. Can be repeated."""
    now = timezone.now()
    too_old = now - timedelta(seconds=settings.WEBHOOK_RETENTION_S)
    ends_at = time.monotonic() + RUN_S
    stuck = WebhookDelivery.objects.filter(state=State.WAITING, claim="", created_at__lt=now - MAX_WAIT)
    _step_through(stuck, lambda rows: rows.update(state=State.DEAD, last_cause="expired", finished_at=now), ends_at)
    over = WebhookDelivery.objects.filter(created_at__lt=too_old, finished_at__lt=too_old)
    HistoryReplay.objects.filter(finished_at__lt=too_old).delete()
    return _step_through(over, _delete, ends_at)


def _delete(rows: QuerySet[WebhookDelivery]) -> int:
    ids = list(rows.values_list("pk", flat=True))
    WebhookAttempt.objects.filter(delivery__in=ids).delete()
    return WebhookDelivery.objects.filter(pk__in=ids).delete()[0]


def _step_through(
    rows: QuerySet[WebhookDelivery], act: Callable[[QuerySet[WebhookDelivery]], int], ends_at: float
) -> int:
    count = 0
    while time.monotonic() < ends_at:
        ids = list(rows.order_by("created_at").values_list("pk", flat=True)[:STEP_ROWS])
        if not ids:
            break
        count += act(WebhookDelivery.objects.filter(pk__in=ids))
    return count
