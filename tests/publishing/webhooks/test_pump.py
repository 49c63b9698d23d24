"""From events to calls and what is written down of them, with a real receiver and a real database."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import standardwebhooks
from django.conf import settings
from django.utils import timezone

from fanoutcloud.core.items import HttpRequest
from publishing.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks import endpoints, failing, relay
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.replays import replay_delivery, replay_since, send_test_event
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.servers.webhook_sink import Received, WebhookSink

pytestmark = pytest.mark.django_db(transaction=True)

At = Callable[..., WebhookEndpoint]
Send = Callable[[], int]


def later(**since: float) -> None:
    """Have what waits be due as if so much time had passed."""
    WebhookDelivery.objects.filter(state="waiting", claim="").update(due_at=timezone.now())


def test_an_item_reaches_its_endpoint_signed_once_and_is_written_down(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    endpoint = at_sink(has_v1a=True)
    event = item_event(created.realm.pk, 7)

    store_deliveries([event])
    store_deliveries([event])  # as when a worker is killed before the outbox hears of it
    send_due()
    made_again = send_due()

    [request] = sink.received
    secret = endpoints.open_secrets(endpoint).secret
    assert standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)["data"]["channel"] == "door"
    assert (request.method, request.headers["fanout-realm"]) == ("POST", created.realm.pk)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["fanout-channel"] == "door"
    assert made_again == 0
    row, attempt = WebhookDelivery.objects.get(), WebhookAttempt.objects.get()
    assert (row.state, row.attempts, row.last_status, row.claim) == ("delivered", 1, 200, "")
    assert (attempt.number, attempt.status, attempt.answer, attempt.address) == (1, 200, "ok", "127.0.0.1")
    assert attempt.connect_ms is not None
    assert attempt.first_byte_ms is not None
    assert 0 < attempt.first_byte_ms <= attempt.total_ms
    assert "webhook-signature" in dict(attempt.request_headers)


def test_a_published_request_is_sent_as_it_is(created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send):
    at_sink()
    request = HttpRequest("PUT", (("Content-Type", "text/plain"), ("X-Own", "1"), ("Host", "evil")), b"hello")

    store_deliveries([item_event(created.realm.pk, 1, http_request=request)])
    send_due()

    [got] = sink.received
    assert (got.method, got.body, got.headers["x-own"]) == ("PUT", b"hello", "1")
    assert (got.headers["content-type"], got.headers["host"]) == ("text/plain", f"127.0.0.1:{sink.port}")


def test_a_failure_is_tried_again_under_the_same_id(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    sink.behave = lambda request: (503, {"Retry-After": "120"}, b"busy") if request.seen == 0 else 204
    store_deliveries([item_event(created.realm.pk, 1)])

    send_due()
    after_first = WebhookDelivery.objects.get()
    later()
    send_due()

    assert 115 < (after_first.due_at - timezone.now()).total_seconds() <= 120
    assert (after_first.state, after_first.last_status, after_first.last_cause) == ("waiting", 503, "status")
    assert len({request.webhook_id for request in sink.received}) == 1
    assert [request.headers["fanout-attempt"] for request in sink.received] == ["1", "2"]
    assert WebhookDelivery.objects.get().state == "delivered"
    log = WebhookAttempt.objects.order_by("number")
    assert [(one.number, one.status, one.cause) for one in log] == [(1, 503, "status"), (2, 204, "")]
    assert log[0].message == "the endpoint answered 503"


def test_after_ten_attempts_a_delivery_is_dead_and_can_be_replayed(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(failing, "FAILURES_IN_ROW", 1000)
    at_sink()
    sink.behave = lambda request: 404
    store_deliveries([item_event(created.realm.pk, 1)])

    for _ in range(12):
        send_due()
        later()
    dead = WebhookDelivery.objects.get()
    sink.behave = lambda request: 200
    replay_delivery(realm=created.realm, delivery_id=dead.pk)
    send_due()

    assert (dead.state, dead.attempts) == ("dead", 10)
    assert len(sink.received) == 11
    assert (sink.received[-1].headers["fanout-attempt"], sink.received[-1].headers["fanout-replay"]) == ("11", "1")
    assert WebhookDelivery.objects.get().state == "delivered"


@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [("hang", "timeout"), ("reset", "reset"), ((302, {"Location": "/there"}, b""), "redirect")],
)
def test_what_goes_wrong_is_told_in_words(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send, behaviour: Any, cause: str
):
    endpoint = at_sink(timeout_s=1)
    sink.behave = lambda request: behaviour
    send_test_event(realm=created.realm, endpoint_id=endpoint.pk)

    send_due()

    attempt = WebhookAttempt.objects.get()
    assert attempt.cause == cause
    assert attempt.message
    assert attempt.cure
    assert WebhookEndpoint.objects.get().last_problem == attempt.message
    assert WebhookDelivery.objects.get().state == "waiting"


def test_an_address_that_is_not_allowed_any_more_is_not_called_and_nothing_is_told_of_it(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send, monkeypatch: pytest.MonkeyPatch
):
    endpoint = at_sink()
    monkeypatch.setattr("django.conf.settings.ALLOWED_TARGETS", [])
    send_test_event(realm=created.realm, endpoint_id=endpoint.pk)

    send_due()
    first_due = WebhookDelivery.objects.get().due_at
    later()
    send_due()

    attempts = WebhookAttempt.objects.all()
    assert {(one.cause, one.address, one.connect_ms) for one in attempts} == {("blocked", "", None)}
    assert first_due > timezone.now() + timedelta(minutes=45)
    assert WebhookEndpoint.objects.get().is_blocked
    assert (sink.received, WebhookDelivery.objects.get().state) == ([], "dead")


def test_an_endpoint_that_fails_rests_and_is_probed_by_one_call(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send, monkeypatch: pytest.MonkeyPatch
):
    at_sink()
    sink.behave = lambda request: 500
    store_deliveries([item_event(created.realm.pk, number) for number in range(40)])

    send_due()
    while_failing = len(sink.received)
    made_while_resting = send_due()
    WebhookEndpoint.objects.update(rests_until=timezone.now())
    later()
    probes = send_due()
    sink.behave = lambda request: 200
    monkeypatch.setattr(settings, "WEBHOOK_DELAY_FACTOR", 0.0)  # of how they are let go, too
    WebhookEndpoint.objects.update(rests_until=timezone.now())
    later()
    send_due()
    send_due()

    endpoint = WebhookEndpoint.objects.get()
    assert while_failing <= 20
    assert (made_while_resting, probes) == (0, 1)
    assert (endpoint.rests, endpoint.failures_in_row, endpoint.rests_until) == (0, 0, None)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_after_a_rest_calls_are_let_go_a_few_at_a_time_with_the_attempts_that_they_had(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    store_deliveries([item_event(created.realm.pk, number) for number in range(40)])
    WebhookDelivery.objects.update(attempts=3, tries=3)
    WebhookEndpoint.objects.update(released_at=timezone.now())
    just_after = send_due()
    waiting = WebhookDelivery.objects.filter(state="waiting")
    kept = set(waiting.values_list("attempts", "tries"))

    WebhookEndpoint.objects.update(released_at=timezone.now() - timedelta(minutes=1))
    later_on = send_due()

    assert just_after < 10
    assert kept == {(3, 3)}
    assert just_after + later_on == 40


def test_a_success_after_a_rest_is_when_calls_are_let_go(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    WebhookEndpoint.objects.update(rests=2, failures_in_row=12, rests_until=timezone.now())
    store_deliveries([item_event(created.realm.pk, 1)])

    send_due()

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.rests, endpoint.released_at) == (0, endpoint.last_success_at)


def test_ordered_deliveries_of_a_channel_wait_for_the_one_before_and_other_channels_do_not(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink(is_ordered=True)
    sink.behave = lambda request: 500 if b'"n":2}' in request.body and request.seen == 0 else 200
    events = [item_event(created.realm.pk, number, channel=name) for number in range(1, 6) for name in ("a", "b")]
    events = [
        one if one.channel == "a" else item_event(created.realm.pk, int(one.item.id) + 10, channel="b")
        for one in events
    ]  # type: ignore[union-attr, arg-type]
    store_deliveries(events)

    send_due()
    before = [_number(request) for request in sink.received]
    later()
    send_due()

    assert [number for number in before if number < 10] == [1, 2]
    assert [number for number in before if number > 10] == [11, 12, 13, 14, 15]
    assert [_number(request) for request in sink.received if _number(request) < 10] == [1, 2, 2, 3, 4, 5]


def test_a_replay_of_an_ordered_endpoint_goes_before_what_came_later_in_its_channel(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    endpoint = at_sink(is_ordered=True)
    store_deliveries([item_event(created.realm.pk, number) for number in range(1, 6)])
    rows = list(WebhookDelivery.objects.order_by("pk"))
    WebhookDelivery.objects.filter(pk__in=[rows[1].pk, rows[2].pk]).update(state="dead", tries=10)
    WebhookDelivery.objects.filter(pk=rows[0].pk).update(state="delivered")
    since = timezone.now() - timedelta(hours=1)
    assert replay_since(realm=created.realm, endpoint_id=endpoint.pk, since=since) == 2
    sink.behave = lambda request: 404 if _number(request) == 3 and request.seen == 0 else 200

    send_due()
    until_it_failed = [_number(request) for request in sink.received]
    later()
    send_due()

    assert until_it_failed == [2, 3]  # and what came later waits for it
    assert [_number(request) for request in sink.received] == [2, 3, 3, 4, 5]


def _number(request: Received) -> int:
    return int(json.loads(request.body)["data"]["items"][0]["data"]["n"])


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_batching_endpoint_gets_events_together_and_a_batch_that_failed_as_it_was(
    created: CreatedRealm,
    sink: WebhookSink,
    at_sink: At,
    send_due: Send,
    is_ordered: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(relay, "BATCH_WINDOW", timedelta(hours=1))
    at_sink(is_batched=True, is_ordered=is_ordered)
    sink.behave = lambda request: 500 if request.seen == 0 else 200
    store_deliveries([item_event(created.realm.pk, number) for number in range(150)])
    made_at_once = send_due()
    later()
    send_due()
    store_deliveries([item_event(created.realm.pk, 200)])
    later()
    send_due()
    later()
    send_due()
    later()
    send_due()

    assert made_at_once == 0  # they wait a second for others
    first = sink.received[0]
    again = [request for request in sink.received if request.webhook_id == first.webhook_id]
    assert len(json.loads(first.body)["data"]["events"]) == 100
    assert [one.body for one in again] == [first.body] * 2
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert WebhookAttempt.objects.filter(events=100).count() == 2


def test_both_secrets_sign_during_a_rotation(created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send):
    endpoint = at_sink(has_v1a=True)
    old = endpoints.open_secrets(endpoint).secret
    new = endpoints.rotate_secret(realm=created.realm, endpoint_id=endpoint.pk).secret
    send_test_event(realm=created.realm, endpoint_id=endpoint.pk)

    send_due()

    [request] = sink.received
    assert [mark.split(",")[0] for mark in request.headers["webhook-signature"].split()] == ["v1", "v1", "v1a", "v1a"]
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)


def test_a_paused_endpoint_gets_nothing_until_it_is_resumed(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    endpoint = at_sink()
    endpoints.pause_endpoint(realm=created.realm, endpoint_id=endpoint.pk)
    store_deliveries([item_event(created.realm.pk, 1)])

    while_paused = send_due()
    endpoints.resume_endpoint(realm=created.realm, endpoint_id=endpoint.pk)
    after = send_due()

    assert (while_paused, after, len(sink.received)) == (0, 1, 1)
