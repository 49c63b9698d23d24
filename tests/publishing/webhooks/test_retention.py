"""What is kept, and for how long."""

from datetime import timedelta

import pytest
from django.utils import timezone

from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks import retention
from publishing.webhooks.replays import send_test_event
from realms.services import CreatedRealm

pytestmark = pytest.mark.django_db


def test_old_deliveries_go_with_their_attempts_and_what_waits_stays(
    created: CreatedRealm, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(retention, "STEP_ROWS", 2)
    rows = [send_test_event(realm=created.realm, endpoint_id=endpoint.pk) for _ in range(6)]
    now, long_ago = timezone.now(), timezone.now() - timedelta(days=8)
    WebhookDelivery.objects.update(created_at=long_ago)
    WebhookDelivery.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(state="delivered", finished_at=long_ago)
    WebhookDelivery.objects.filter(pk=rows[3].pk).update(state="dead", finished_at=now)  # replayed a moment ago
    WebhookDelivery.objects.filter(pk=rows[5].pk).update(created_at=now - timedelta(days=15))
    for row in rows:
        WebhookAttempt.objects.create(delivery=row, number=1, started_at=long_ago, total_ms=1)

    forgotten = retention.forget_old_deliveries()

    left = {row.pk: (row.state, row.last_cause) for row in WebhookDelivery.objects.all()}
    assert forgotten == 3
    assert left == {rows[3].pk: ("dead", ""), rows[4].pk: ("waiting", ""), rows[5].pk: ("dead", "expired")}
    assert WebhookAttempt.objects.count() == 3
