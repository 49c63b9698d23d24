"""Forgetting deliveries that are over, their bodies, and the log of their attempts. In steps, each with short locks."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from publishing.models import HistoryReplay, WebhookAttempt, WebhookDelivery
from realms.limit_settings import find_webhook_log_s
from realms.models import Realm

STEP_ROWS = 5_000
#: One run ends by then; the next one goes on.
RUN_S = 60.0
#: What has waited for longer than the schedule lasts, at an endpoint that is paused or disabled, is given up.
MAX_WAIT = timedelta(days=14)
#: What was sent is kept for so long after it was delivered: to be looked at, or sent again.
BODY_KEPT_FOR = timedelta(hours=24)

State = WebhookDelivery.State


def forget_old_deliveries() -> int:
    """Delete what is older than is kept; return how many deliveries that were. Can be repeated.

    That is `WEBHOOK_RETENTION`, or what an operator has set for a realm.
    """
    now = timezone.now()
    ends_at = time.monotonic() + RUN_S
    stuck = WebhookDelivery.objects.filter(state=State.WAITING, claim="", created_at__lt=now - MAX_WAIT)
    _step_through(stuck, lambda rows: rows.update(state=State.DEAD, last_cause="expired", finished_at=now), ends_at)
    _cut_bodies(now, ends_at)
    own = {realm.pk: find_webhook_log_s(realm.limits) for realm in _realms_with_own_retention()}
    count = 0
    for realm_id, kept_s in own.items():
        if kept_s:  # 0: for ever
            rows = _over_since(now - timedelta(seconds=kept_s)).filter(realm=realm_id)
            count += _step_through(rows, _delete, ends_at, order="pk")
    too_old = now - timedelta(seconds=settings.WEBHOOK_RETENTION_S)
    HistoryReplay.objects.filter(finished_at__lt=too_old).delete()
    return count + _step_through(_over_since(too_old).exclude(realm__in=own), _delete, ends_at)


def _realms_with_own_retention() -> QuerySet[Realm]:
    return Realm.objects.filter(limits__has_key="webhook_log_s").only("limits")


def _over_since(moment: datetime) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(created_at__lt=moment, finished_at__lt=moment)


def _cut_bodies(now: datetime, ends_at: float) -> None:
    moment = now - BODY_KEPT_FOR
    rows = WebhookDelivery.objects.filter(
        state=State.DELIVERED, has_body=True, created_at__lt=moment, finished_at__lt=moment
    )
    _step_through(rows, lambda some: some.update(body=b"", headers=[], has_body=False), ends_at)


def _delete(rows: QuerySet[WebhookDelivery]) -> int:
    ids = list(rows.values_list("pk", flat=True))
    WebhookAttempt.objects.filter(delivery__in=ids).delete()
    return WebhookDelivery.objects.filter(pk__in=ids).delete()[0]


def _step_through(
    rows: QuerySet[WebhookDelivery],
    act: Callable[[QuerySet[WebhookDelivery]], int],
    ends_at: float,
    *,
    order: str = "created_at",
) -> int:
    count = 0
    while time.monotonic() < ends_at:
        ids = list(rows.order_by(order).values_list("pk", flat=True)[:STEP_ROWS])
        if not ids:
            break
        count += act(WebhookDelivery.objects.filter(pk__in=ids))
    return count
