"""When an endpoint counts as failing, by numbers; and that one success ends it, with real calls."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.core import mail
from django.utils import timezone

from accounts.models import OutgoingEmail
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks import results
from publishing.webhooks.endpoints import resume_endpoint
from publishing.webhooks.failing import (
    FAILED_WITHIN_S,
    NEWEST,
    NEWEST_WITHIN_S,
    find_poor_share,
    has_failed_lately,
    remember_attempt,
    say_cause,
)
from publishing.webhooks.health import note_outcomes
from publishing.webhooks.relay import store_deliveries
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.servers.webhook_sink import WebhookSink

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def remember_all(attempts: Sequence[bool], *, every_s: float = 1.0) -> list[int]:
    recent: list[int] = []
    for number, is_good in enumerate(attempts):
        recent = remember_attempt(recent, NOON + timedelta(seconds=number * every_s), is_good=is_good)
    return recent


def some_good(good: int) -> list[bool]:
    return [*[False] * (NEWEST - good - 1), *[True] * good, False]


@pytest.mark.parametrize(("good", "share"), [(0, 0), (1, 2), (6, 12), (9, 18), (10, None), (50, None)])
def test_less_than_a_fifth_of_the_newest_fifty_is_too_few(good: int, share: int | None):
    assert find_poor_share(remember_all(some_good(good) if good < NEWEST else [True] * NEWEST)) == share


def test_fewer_attempts_and_older_ones_say_nothing():
    assert find_poor_share(remember_all([False] * (NEWEST - 1))) is None
    assert find_poor_share(remember_all([False] * NEWEST, every_s=NEWEST_WITHIN_S / (NEWEST - 1))) is None
    assert find_poor_share(remember_all([False] * NEWEST, every_s=NEWEST_WITHIN_S / (NEWEST + 1))) == 0


def test_what_is_kept_is_bounded_and_nothing_is_while_all_is_well():
    assert len(remember_all([False] * 500)) == NEWEST
    assert remember_all([True] * 500) == []
    assert remember_all([False, *[True] * NEWEST]) == []


def test_five_in_a_row_within_five_minutes_are_lately():
    assert has_failed_lately(remember_all([False] * 5))
    assert not has_failed_lately(remember_all([False] * 4))
    assert not has_failed_lately(remember_all([False, False, True, False, False, False, False]))
    assert not has_failed_lately(remember_all([False] * 5, every_s=FAILED_WITHIN_S / 4 + 1))


def test_the_cause_is_said_in_words():
    assert say_cause(9, None) == ""
    assert say_cause(10, None) == "10 attempts failed in a row"
    assert say_cause(1, 12) == "12 % of 50 attempts succeeded"
    assert say_cause(7, 12) == "12 % of 50 attempts succeeded; the last 7 failed"


def mostly_failing(endpoint: WebhookEndpoint, *, good: int = 6) -> None:
    """Have 49 attempts of an endpoint have failed, but some, within the last minute."""
    now = int(timezone.now().timestamp())
    recent = [-now] * 20 + [now] * good + [-now] * (NEWEST - 1 - 20 - good - 4) + [now, -now, -now, -now]
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(recent_attempts=recent, failures_in_row=3)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_hardly_ever_succeeds_is_failing_until_it_does_once(
    created: CreatedRealm,
    sink: WebhookSink,
    at_sink: Callable[..., WebhookEndpoint],
    send_due: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(settings, "WEBHOOK_DELAY_FACTOR", 0.0)  # it is as if all waits were over
    endpoint = at_sink()
    mostly_failing(endpoint)
    sink.behave = lambda request: 404 if len(sink.received) == 1 else 200
    store_deliveries([item_event(created.realm.pk, 1)])

    WebhookEndpoint.objects.update(calls_at_once=1)
    seen = []
    real = WebhookEndpoint.objects.get

    def note() -> None:
        row = real()
        seen.append((row.failing_cause, row.rests, len(row.recent_attempts)))

    monkeypatch.setattr(results, "note_outcomes", _then(note))
    send_due()

    assert seen == [("14 % of 50 attempts succeeded; the last 4 failed", 0, NEWEST), ("", 0, 0)]
    assert WebhookDelivery.objects.get().state == "delivered"


def _then(note: Callable[[], None]) -> Callable[..., None]:
    """Return `note_outcomes`, with a look at what came of it."""

    def both(*args, **kwargs):  # type: ignore[no-untyped-def]
        note_outcomes(*args, **kwargs)
        note()

    return both


@pytest.mark.django_db(transaction=True)
def test_a_failing_endpoint_rests_after_five_failures_and_its_owner_is_told_why(
    created: CreatedRealm, sink: WebhookSink, at_sink: Callable[..., WebhookEndpoint], send_due: Callable[[], int]
):
    endpoint = at_sink(is_ordered=True)
    mostly_failing(endpoint)
    WebhookEndpoint.objects.update(failing_since=timezone.now() - timedelta(hours=25))
    sink.behave = lambda request: 404
    for channel in ("a", "b"):
        store_deliveries([item_event(created.realm.pk, 1, channel=channel)])

    send_due()

    row = WebhookEndpoint.objects.get()
    assert (row.rests, row.failures_in_row, row.state) == (1, 5, "paused")
    told = [*OutgoingEmail.objects.values_list("body_text", flat=True), *(str(one.body) for one in mail.outbox)]
    assert "failed for a day (14 % of 50 attempts succeeded; the last " in "".join(told)
    resumed = resume_endpoint(realm=created.realm, endpoint_id=endpoint.pk)
    assert (resumed.failing_cause, resumed.recent_attempts) == ("", [])


@pytest.mark.django_db(transaction=True)
def test_failures_of_days_let_nothing_rest(
    created: CreatedRealm, sink: WebhookSink, at_sink: Callable[..., WebhookEndpoint], send_due: Callable[[], int]
):
    at_sink()
    WebhookEndpoint.objects.update(failures_in_row=9)
    sink.behave = lambda request: 404
    store_deliveries([item_event(created.realm.pk, 1)])

    send_due()

    row = WebhookEndpoint.objects.get()
    assert (row.failing_cause, row.rests) == ("10 attempts failed in a row", 0)


@pytest.mark.django_db(transaction=True)
def test_an_endpoint_that_is_well_is_not_written_to_for_each_success(
    created: CreatedRealm, at_sink: Callable[..., WebhookEndpoint], send_due: Callable[[], int]
):
    at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    send_due()
    before = WebhookEndpoint.objects.get().last_success_at

    store_deliveries([item_event(created.realm.pk, 2)])
    send_due()

    row = WebhookEndpoint.objects.get()
    assert (row.last_success_at, row.recent_attempts) == (before, [])
