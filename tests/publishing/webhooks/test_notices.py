"""Who is told, and when, that an endpoint does badly."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import OutgoingEmail
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks import endpoints, notices, schedule
from publishing.webhooks.relay import store_deliveries
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.publishing.webhooks.test_pump import later
from tests.servers.webhook_sink import WebhookSink

pytestmark = pytest.mark.django_db(transaction=True)

At = Callable[..., WebhookEndpoint]
Send = Callable[[], int]


def events_of(kind: str) -> list[bytes]:
    return [bytes(row.body) for row in WebhookDelivery.objects.filter(kind=kind).order_by("pk")]


def test_410_disables_the_endpoint_and_tells_its_owner(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    watcher = at_sink("/watcher", events=["endpoint.disabled"])
    sink.behave = lambda request: 410 if request.path == "/in" else 200
    store_deliveries([item_event(created.realm.pk, 1)])

    send_due()
    stored = store_deliveries([item_event(created.realm.pk, 2)])

    endpoint = WebhookEndpoint.objects.exclude(pk=watcher.pk).get()
    assert (endpoint.state, endpoint.paused_by, stored) == ("disabled", "gone", 0)
    assert WebhookDelivery.objects.get(endpoint=endpoint).state == "dead"
    assert _mails() == ["Webhook endpoint is disabled"]
    [told] = events_of("endpoint.disabled")
    assert b'"webhook":%d' % endpoint.pk in told
    assert b'"by":"gone"' in told


def _mails() -> list[str]:
    return [*OutgoingEmail.objects.values_list("subject", flat=True), *(one.subject for one in mail.outbox)]


def test_an_endpoint_that_fails_for_a_day_is_paused_then_disabled_and_comes_back_by_itself_before(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    sink.behave = lambda request: 500
    store_deliveries([item_event(created.realm.pk, number) for number in range(20)])

    def go_on(*, failing_for_h: int) -> WebhookEndpoint:
        since = timezone.now() - timedelta(hours=failing_for_h)
        WebhookEndpoint.objects.update(rests_until=timezone.now(), failing_since=since, failures_in_row=50, rests=3)
        later()
        send_due()
        return WebhookEndpoint.objects.get()

    paused = go_on(failing_for_h=25)
    sink.behave = lambda request: 200
    back = go_on(failing_for_h=26)
    sink.behave = lambda request: 500
    store_deliveries([item_event(created.realm.pk, number) for number in range(100, 120)])
    go_on(failing_for_h=25)
    for hours in (95, 97, 99):
        go_on(failing_for_h=hours)
    disabled = go_on(failing_for_h=121)

    assert (paused.state, paused.paused_by) == ("paused", "failing")
    assert back.state == "active"
    assert (disabled.state, disabled.paused_by) == ("disabled", "failing")
    assert _mails() == [
        "Webhook endpoint is paused",
        "Webhook endpoint is paused",
        "Webhook endpoint will be disabled",
        "Webhook endpoint is disabled",
    ]


def test_a_few_failures_over_a_day_are_enough_to_pause_it(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    sink.behave = lambda request: 500
    store_deliveries([item_event(created.realm.pk, 1)])

    send_due()
    before = WebhookEndpoint.objects.get().state
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(hours=31))
    later()
    send_due()

    endpoint = WebhookEndpoint.objects.get()
    assert (before, endpoint.state, endpoint.failures_in_row) == ("active", "paused", 2)
    assert endpoint.rests_until is not None
    assert _mails() == ["Webhook endpoint is paused"]


def test_deliveries_that_were_given_up_are_told_once_a_day(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(schedule, "MAX_ATTEMPTS", 1)
    endpoint = at_sink()
    at_sink("/watcher", events=["endpoint.exhausted"])
    sink.behave = lambda request: 500 if request.path == "/in" else 200

    def give_up(number: int) -> list[str]:
        store_deliveries([item_event(created.realm.pk, number)])
        send_due()
        return _mails()

    first, again = give_up(1), give_up(2)
    longer_ago = timezone.now() - notices.EXHAUSTED_EVERY
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(exhausted_told_at=longer_ago)
    next_day = give_up(3)

    subject = "Webhook endpoint has deliveries that were given up"
    assert (first, again, next_day) == ([subject], [subject], [subject] * 2)
    told = events_of("endpoint.exhausted")
    assert len(told) == 2
    assert b'"problem":"the endpoint answered 500"' in told[0]
    assert WebhookDelivery.objects.filter(endpoint=endpoint, state="dead").count() == 3


def test_who_disables_it_by_hand_gets_no_mail_and_other_endpoints_are_told(created: CreatedRealm, at_sink: At):
    endpoint = at_sink(events=["endpoint.disabled"])
    at_sink("/watcher", events=["endpoint.disabled"])

    endpoints.disable_endpoint(realm=created.realm, endpoint_id=endpoint.pk)

    assert _mails() == []
    assert len(events_of("endpoint.disabled")) == 1
