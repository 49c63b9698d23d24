"""Sending again, and test events."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import CreatedEndpoint, disable_endpoint
from publishing.webhooks.errors import DeliveryNotFound, EndpointDisabled, EndpointNotFound
from publishing.webhooks.replays import replay_delivery, replay_since, send_test_event
from publishing.webhooks.selectors import get_delivery, list_attempts, list_deliveries
from realms.services import CreatedRealm
from tests.factories import make_realm

pytestmark = pytest.mark.django_db


def test_a_test_event_waits_like_any_other(created: CreatedRealm, delivery: WebhookDelivery):
    row = get_delivery(created.realm, delivery.pk)

    assert (row.kind, row.state, row.attempts) == ("webhook.test", "waiting", 0)
    assert row.due_at <= timezone.now()
    assert b'"type":"webhook.test"' in bytes(row.body)


def test_a_dead_delivery_is_sent_again_under_its_own_id(created: CreatedRealm, delivery: WebhookDelivery):
    WebhookDelivery.objects.update(state="dead", tries=10, attempts=10, finished_at=timezone.now())

    again = replay_delivery(realm=created.realm, delivery_id=delivery.pk)

    assert (again.state, again.tries, again.attempts, again.replays) == ("waiting", 0, 10, 1)
    assert again.webhook_id == delivery.webhook_id


def test_one_that_waits_is_sent_now(created: CreatedRealm, delivery: WebhookDelivery):
    WebhookDelivery.objects.update(due_at=timezone.now() + timedelta(hours=3), tries=2)

    again = replay_delivery(realm=created.realm, delivery_id=delivery.pk)

    assert again.due_at <= timezone.now()
    assert (again.tries, again.replays) == (2, 0)


def test_one_that_is_being_tried_is_left_alone(created: CreatedRealm, delivery: WebhookDelivery):
    leased_until = timezone.now() + timedelta(minutes=1)
    WebhookDelivery.objects.update(due_at=leased_until, claim="somebody")

    replay_delivery(realm=created.realm, delivery_id=delivery.pk)

    row = WebhookDelivery.objects.get()
    assert (row.due_at, row.claim) == (leased_until, "somebody")


def test_all_since_a_moment_are_sent_again_once(
    created: CreatedRealm, add: Callable[..., CreatedEndpoint], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("publishing.webhooks.replays.STEP_ROWS", 2)
    mine, other = add().endpoint, add().endpoint
    rows = [send_test_event(realm=created.realm, endpoint_id=mine.pk) for _ in range(6)]
    rows.append(send_test_event(realm=created.realm, endpoint_id=other.pk))
    long_ago = timezone.now() - timedelta(days=2)
    WebhookDelivery.objects.update(state="dead")
    WebhookDelivery.objects.filter(pk=rows[0].pk).update(created_at=long_ago)
    WebhookDelivery.objects.filter(pk=rows[1].pk).update(state="delivered")
    since = timezone.now() - timedelta(hours=1)

    first = replay_since(realm=created.realm, endpoint_id=mine.pk, since=since)
    second = replay_since(realm=created.realm, endpoint_id=mine.pk, since=since)
    with_delivered = replay_since(realm=created.realm, endpoint_id=mine.pk, since=since, only_dead=False)

    assert (first, second, with_delivered) == (4, 0, 1)
    waiting = WebhookDelivery.objects.filter(state="waiting").order_by("pk")
    assert [row.pk for row in waiting] == [row.pk for row in rows[1:6]]


def test_nothing_is_sent_to_a_disabled_endpoint(created: CreatedRealm, delivery: WebhookDelivery):
    realm, endpoint_id = created.realm, delivery.endpoint_id
    disable_endpoint(realm=realm, endpoint_id=endpoint_id)

    with pytest.raises(EndpointDisabled):
        send_test_event(realm=realm, endpoint_id=endpoint_id)
    with pytest.raises(EndpointDisabled):
        replay_delivery(realm=realm, delivery_id=delivery.pk)
    with pytest.raises(EndpointDisabled):
        replay_since(realm=realm, endpoint_id=endpoint_id, since=timezone.now())


def test_foreign_deliveries_look_like_none(charlie: User, delivery: WebhookDelivery):
    theirs = make_realm(charlie).realm
    WebhookAttempt.objects.create(delivery=delivery, number=1, started_at=timezone.now(), total_ms=3)

    for delivery_id in (delivery.pk, 999_999):
        with pytest.raises(DeliveryNotFound):
            replay_delivery(realm=theirs, delivery_id=delivery_id)
        with pytest.raises(DeliveryNotFound):
            get_delivery(theirs, delivery_id)
        with pytest.raises(DeliveryNotFound):
            list_attempts(theirs, delivery_id)
    with pytest.raises(EndpointNotFound):
        replay_since(realm=theirs, endpoint_id=delivery.endpoint_id, since=timezone.now())
    with pytest.raises(EndpointNotFound):
        send_test_event(realm=theirs, endpoint_id=delivery.endpoint_id)
    assert list(list_deliveries(theirs)) == []


def test_deliveries_are_found_by_what_they_are(created: CreatedRealm, endpoint: WebhookEndpoint):
    first = send_test_event(realm=created.realm, endpoint_id=endpoint.pk)
    second = send_test_event(realm=created.realm, endpoint_id=endpoint.pk)
    WebhookDelivery.objects.filter(pk=first.pk).update(state="dead", channel="door")

    assert [row.pk for row in list_deliveries(created.realm)] == [second.pk, first.pk]
    for found in (
        list_deliveries(created.realm, state="dead"),
        list_deliveries(created.realm, channel="door", endpoint_id=endpoint.pk),
        list_deliveries(created.realm, webhook_id=first.webhook_id),
    ):
        assert [row.pk for row in found] == [first.pk]


def test_attempts_of_a_batch_are_found_from_any_of_it(created: CreatedRealm, endpoint: WebhookEndpoint):
    rows = [send_test_event(realm=created.realm, endpoint_id=endpoint.pk) for _ in range(2)]
    WebhookDelivery.objects.update(batch="evt_batch")
    attempt = WebhookAttempt.objects.create(delivery=rows[0], number=1, started_at=timezone.now(), total_ms=3)

    assert list(list_attempts(created.realm, rows[1].pk)) == [attempt]
