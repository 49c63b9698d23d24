"""What is kept, and for how long."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks import retention
from publishing.webhooks.endpoints import create_endpoint
from publishing.webhooks.errors import BodyGone
from publishing.webhooks.replays import replay_delivery, replay_since, send_test_event
from realms.models import Realm
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.webhooks.conftest import URL

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


def test_an_operator_sets_for_how_long_a_realms_log_is_kept(
    created: CreatedRealm, endpoint: WebhookEndpoint, bob: User
):
    others = make_realm(bob).realm
    theirs = create_endpoint(realm=others, url=URL).endpoint

    def left(limits: dict[str, int], *, age: timedelta) -> list[str]:
        WebhookDelivery.objects.all().delete()
        Realm.objects.filter(pk=created.realm.pk).update(limits=limits)
        for realm, row in ((created.realm, endpoint), (others, theirs)):
            send_test_event(realm=realm, endpoint_id=row.pk)
        then = timezone.now() - age
        WebhookDelivery.objects.update(state="delivered", created_at=then, finished_at=then)
        retention.forget_old_deliveries()
        return list(WebhookDelivery.objects.order_by("pk").values_list("realm", flat=True))

    mine, other = created.realm.pk, others.pk
    assert left({}, age=timedelta(days=6)) == [mine, other]
    assert left({"webhook_log_s": 3600}, age=timedelta(days=6)) == [other]
    assert left({"webhook_log_s": 30 * 86_400}, age=timedelta(days=20)) == [mine]
    assert left({"webhook_log_s": 0}, age=timedelta(days=900)) == [mine]
    assert left({"connections": 5}, age=timedelta(days=20)) == []


def test_what_was_sent_is_cut_a_day_after_it_was_delivered_and_not_sent_again(
    created: CreatedRealm, endpoint: WebhookEndpoint
):
    rows = [send_test_event(realm=created.realm, endpoint_id=endpoint.pk) for _ in range(4)]
    long_ago = timezone.now() - timedelta(hours=25)
    WebhookDelivery.objects.update(created_at=long_ago)
    states = {rows[0].pk: "delivered", rows[1].pk: "dead", rows[2].pk: "delivered"}
    for pk, state in states.items():
        WebhookDelivery.objects.filter(pk=pk).update(state=state, finished_at=long_ago)
    WebhookDelivery.objects.filter(pk=rows[2].pk).update(finished_at=timezone.now())

    retention.forget_old_deliveries()
    replayed = replay_since(
        realm=created.realm, endpoint_id=endpoint.pk, since=long_ago - timedelta(hours=1), only_dead=False
    )

    kept = {row.pk: (row.has_body, bool(row.body)) for row in WebhookDelivery.objects.all()}
    assert kept[rows[0].pk] == (False, False)
    assert [kept[row.pk] for row in rows[1:]] == [(True, True)] * 3
    assert replayed == 2
    with pytest.raises(BodyGone):
        replay_delivery(realm=created.realm, delivery_id=rows[0].pk)
