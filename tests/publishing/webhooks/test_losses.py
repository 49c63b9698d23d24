"""Attempts that were lost with their worker: they count, and the log says so."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks import relay
from publishing.webhooks.claims import release_calls
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.schedule import MAX_ATTEMPTS
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.publishing.webhooks.plans import claim_all
from tests.servers.webhook_sink import WebhookSink

pytestmark = pytest.mark.django_db(transaction=True)

At = Callable[..., WebhookEndpoint]
Send = Callable[[], int]


def die() -> None:
    """Be a worker that took all that is due, and was killed; its leases are over."""
    WebhookDelivery.objects.filter(state="waiting").update(claim="dead-worker", due_at=timezone.now())


def log() -> list[tuple[int, str, int]]:
    return list(WebhookAttempt.objects.order_by("delivery_id", "number").values_list("number", "cause", "events"))


def test_what_a_killed_worker_had_taken_is_due_when_its_lease_ends_and_logged_as_lost(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    WebhookDelivery.objects.update(claim="dead-worker", due_at=timezone.now() + timedelta(seconds=30))
    within_the_lease = send_due()

    die()
    send_due()

    row = WebhookDelivery.objects.get()
    assert within_the_lease == 0
    assert (row.state, row.attempts, row.last_cause, len(sink.received)) == ("delivered", 2, "", 1)
    assert sink.received[0].headers["fanout-attempt"] == "2"
    assert log() == [(1, "lost", 1), (2, "", 1)]
    lost = WebhookAttempt.objects.get(number=1)
    assert "ended before it wrote down an answer" in lost.message
    assert "sent again under the same id" in lost.cure


def test_an_endpoint_is_not_blamed_for_it(created: CreatedRealm, at_sink: At, send_due: Send):
    at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    die()

    send_due()

    row = WebhookEndpoint.objects.get()
    assert (row.failures_in_row, row.last_failure_at, row.recent_attempts) == (0, None, [])


def test_what_was_taken_and_given_back_is_lost_once(created: CreatedRealm, at_sink: At):
    endpoint = at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    die()

    release_calls(claim_all(endpoint))
    release_calls(claim_all(endpoint))

    assert log() == [(1, "lost", 1)]
    assert WebhookDelivery.objects.get().attempts == 1


def test_what_ends_every_worker_is_given_up_after_ten_attempts(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    at_sink("/watcher", events=["endpoint.exhausted"])
    store_deliveries([item_event(created.realm.pk, 1)])
    WebhookDelivery.objects.update(tries=MAX_ATTEMPTS - 1, attempts=MAX_ATTEMPTS - 1)
    die()

    send_due()

    row = WebhookDelivery.objects.get(kind="channel.message")
    assert (row.state, row.attempts, row.last_cause, row.claim) == ("dead", MAX_ATTEMPTS, "lost", "")
    assert sink.of("/in") == []
    assert log()[0] == (MAX_ATTEMPTS, "lost", 1)
    assert WebhookDelivery.objects.filter(kind="endpoint.exhausted").count() == 1


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_batch_is_lost_as_one_call(
    created: CreatedRealm, at_sink: At, send_due: Send, is_ordered: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(relay, "BATCH_WINDOW", timedelta(0))
    endpoint = at_sink(is_batched=True, is_ordered=is_ordered)
    store_deliveries([item_event(created.realm.pk, number) for number in range(5)])
    claim_all(endpoint)
    die()

    send_due()

    assert log() == [(1, "lost", 5), (2, "", 5)]
