"""The Webhooks pages: what each shows, changes and refuses, by role, and that Charlie sees none of it."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from publishing.models import HistoryReplay, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from publishing.webhooks.endpoints import create_endpoint, disable_endpoint
from publishing.webhooks.losses import CURE, LOST, MESSAGE
from publishing.webhooks.own_headers import open_headers
from publishing.webhooks.replays import send_test_event
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm

URL = "https://hooks.example.com/in"
#: What a browser sends of the form as it comes.
FORM = {"url": URL, "patterns": "orders.*\nchat", "events": ["channel.message"], "format": "auto", "timeout_s": "15"}


@pytest.fixture
def row(created: CreatedRealm) -> WebhookEndpoint:
    return create_endpoint(realm=created.realm, url=URL, label="orders").endpoint


@pytest.fixture
def delivery(created: CreatedRealm, row: WebhookEndpoint) -> WebhookDelivery:
    return send_test_event(realm=created.realm, endpoint_id=row.pk)


def url_of(created: CreatedRealm, page: str, *more: Any) -> str:
    return reverse(f"webhooks:{page}", args=[created.realm.pk, *more])


def pages(created: CreatedRealm, delivery: WebhookDelivery) -> list[tuple[str, str, Role]]:
    row = delivery.endpoint_id
    looks = [("list",), ("endpoint", row), ("deliveries",), ("delivery", delivery.pk)]
    deeds = [
        ("add",), ("change", row), ("state", row, "pause"), ("state", row, "resume"), ("state", row, "disable"),
        ("reveal", row), ("rotate", row), ("test", row), ("replay", row), ("missed", row),
        ("replay_one", delivery.pk), ("remove", row),
    ]  # fmt: skip
    found = [("get", url_of(created, *page), Role.VIEWER) for page in looks]
    return found + [("post", url_of(created, *deed), Role.DEVELOPER) for deed in deeds]


def text_of(response: Any) -> str:
    return response.content.decode()


def test_charlie_finds_nothing_and_viewers_change_nothing(
    created: CreatedRealm, delivery: WebhookDelivery, charlie: User, bob: User
):
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    stranger, viewer = Client(), Client()
    stranger.force_login(charlie)
    viewer.force_login(bob)

    for method, url, at_least in pages(created, delivery):
        assert getattr(Client(), method)(url).status_code == 302, url
        assert getattr(stranger, method)(url).status_code == 404, url
        assert getattr(viewer, method)(url).status_code == (200 if at_least == Role.VIEWER else 403), url
    assert WebhookEndpoint.objects.get().state == "active"


def test_what_is_not_there_is_not_found(alice_client: Client, created: CreatedRealm):
    for page in [("endpoint", 7), ("delivery", 7)]:
        assert alice_client.get(url_of(created, *page)).status_code == 404
    for name in ("change", "reveal", "rotate", "test", "replay", "missed", "remove", "replay_one"):
        assert alice_client.post(url_of(created, name, 7), FORM).status_code == 404, name
    assert alice_client.post(url_of(created, "state", 7, "pause")).status_code == 404


def test_an_endpoint_is_added_and_its_secret_shown(alice_client: Client, created: CreatedRealm):
    assert "Nothing is called yet" in text_of(alice_client.get(url_of(created, "list")))

    page = text_of(alice_client.post(url_of(created, "add"), FORM))

    row = WebhookEndpoint.objects.get()
    assert (row.url, row.patterns) == (URL, ["orders.*", "chat"])
    assert "whsec_" in page
    assert "whsec_" not in text_of(alice_client.get(url_of(created, "endpoint", row.pk)))
    assert "whsec_" in text_of(alice_client.post(url_of(created, "reveal", row.pk)))
    assert URL in text_of(alice_client.get(url_of(created, "list")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": ""}, "Write the URL"),
        ({"url": "https://10.0.0.1/"}, "not allowed (private)"),
        ({"url": "ftp://hooks.example.com"}, "http"),
        ({"patterns": "a*b"}, "pattern"),
        ({"events": []}, "Choose what it is called with"),
        ({"timeout_s": "31"}, "30"),
        ({"label": "x" * 100}, "80"),
        ({"headers": "no colon"}, "Line 1 has no colon"),
        ({"headers": "Host: inside"}, "The header Host is ours to set"),
    ],
)
def test_a_setting_that_can_not_be_used_is_explained(
    alice_client: Client, created: CreatedRealm, row: WebhookEndpoint, change: dict[str, object], words: str
):
    for url in (url_of(created, "add"), url_of(created, "change", row.pk)):
        answer = alice_client.post(url, FORM | change)
        assert answer.status_code == 422
        assert words in text_of(answer)
    assert WebhookEndpoint.objects.count() == 1


def test_settings_are_changed(alice_client: Client, created: CreatedRealm, row: WebhookEndpoint):
    answer = alice_client.post(
        url_of(created, "change", row.pk), FORM | {"is_ordered": "on", "has_v1a": "on", "label": "new"}, follow=True
    )

    row.refresh_from_db()
    assert (row.is_ordered, bool(row.sealed_signing_key), row.label) == (True, True, "new")
    assert "Saved" in text_of(answer)


def test_headers_are_set_by_lines_and_shown_without_their_values(alice_client: Client, created: CreatedRealm):
    alice_client.post(url_of(created, "add"), FORM | {"headers": "X-Key: a-secret\nX-B: 2"})
    row = WebhookEndpoint.objects.get()
    page = text_of(alice_client.get(url_of(created, "endpoint", row.pk)))
    alice_client.post(url_of(created, "change", row.pk), FORM | {"headers": "X-Key: …"})

    assert "X-Key: …\nX-B: …" in page
    assert "a-secret" not in page
    row.refresh_from_db()
    assert open_headers(row.sealed_headers) == [("X-Key", "a-secret")]


def test_a_state_is_explained(alice_client: Client, created: CreatedRealm, row: WebhookEndpoint):
    page = url_of(created, "endpoint", row.pk)
    words = {"pause": "Paused since", "disable": "Disabled since"}
    for deed, said in words.items():
        assert said in text_of(alice_client.post(url_of(created, "state", row.pk, deed), follow=True))
    assert "Resumed" in text_of(alice_client.post(url_of(created, "state", row.pk, "resume"), follow=True))
    WebhookEndpoint.objects.update(failures_in_row=7, rests_until=timezone.now(), last_problem="it answered 500")

    assert "7 attempts failed in a row" in text_of(alice_client.get(page))
    assert "Failing:" not in text_of(alice_client.get(page))
    WebhookEndpoint.objects.update(poor_share=12, calls_per_minute=15)
    assert "Failing: 12 % of 50 attempts succeeded; the last 7 failed" in " ".join(
        text_of(alice_client.get(page)).split()
    )
    assert "it is called 15 times a minute" in text_of(alice_client.get(page))
    assert "Blocked" not in text_of(alice_client.get(page))
    WebhookEndpoint.objects.update(is_blocked=True)
    assert "Blocked" in text_of(alice_client.get(page))
    assert "it answered 500" in text_of(alice_client.get(page))


def test_what_it_missed_while_it_was_disabled_is_offered(
    alice_client: Client, created: CreatedRealm, row: WebhookEndpoint
):
    alice_client.post(url_of(created, "state", row.pk, "disable"))
    assert "Send what was missed" not in text_of(alice_client.get(url_of(created, "endpoint", row.pk)))
    page = text_of(alice_client.post(url_of(created, "state", row.pk, "resume"), follow=True))
    asked = text_of(alice_client.post(url_of(created, "missed", row.pk), follow=True))
    again = text_of(alice_client.post(url_of(created, "missed", row.pk), follow=True))
    body = {"since": "2020-01-01T00:00", "what": "history"}
    since = text_of(alice_client.post(url_of(created, "replay", row.pk), body, follow=True))

    assert "Send what was missed" in page
    assert "looked up in history" in asked
    assert "Send what was missed" not in asked
    assert "sent already" in again
    assert "From history since 1 Jan 2020" in since
    assert [one.is_missed for one in HistoryReplay.objects.order_by("pk")] == [True, False]


def test_the_secret_is_rotated_with_an_overlap(alice_client: Client, created: CreatedRealm, row: WebhookEndpoint):
    page = text_of(alice_client.post(url_of(created, "rotate", row.pk), {"overlap": "3600"}))

    row.refresh_from_db()
    assert row.old_until is not None
    assert "whsec_" in page
    assert "This secret signs from now on" in page
    assert alice_client.post(url_of(created, "rotate", row.pk), {"overlap": "5"}).status_code == 422


def test_a_test_event_leads_to_its_delivery(alice_client: Client, created: CreatedRealm, row: WebhookEndpoint):
    page = text_of(alice_client.post(url_of(created, "test", row.pk), follow=True))

    assert "webhook.test" in page
    assert "It was not tried yet" in page
    disable_endpoint(realm=created.realm, endpoint_id=row.pk)
    assert "is disabled" in text_of(alice_client.post(url_of(created, "test", row.pk), follow=True))


def test_an_attempt_is_shown_with_its_times_and_its_answer_inert(
    alice_client: Client, created: CreatedRealm, delivery: WebhookDelivery
):
    WebhookAttempt.objects.create(
        delivery=delivery, number=1, started_at=timezone.now(), dns_ms=1.0, connect_ms=2.0, first_byte_ms=30.0,
        total_ms=40.0, address="93.184.216.34", status=500, cause="status", message="the endpoint answered 500",
        cure="look into the receiver's log", response_headers=[["x-a", "b"]], answer="<script>alert(1)</script>",
    )  # fmt: skip

    page = text_of(alice_client.get(url_of(created, "delivery", delivery.pk)))

    assert "The endpoint answered 500." in page
    assert "look-up of the name 1.0 ms" in page
    assert "x-a: b" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_lost_attempt_is_explained_without_times_that_nobody_knows(
    alice_client: Client, created: CreatedRealm, delivery: WebhookDelivery
):
    WebhookAttempt.objects.create(
        delivery=delivery, number=1, started_at=timezone.now(), total_ms=0.0, cause=LOST, message=MESSAGE, cure=CURE
    )

    text = text_of(alice_client.get(url_of(created, "delivery", delivery.pk)))

    assert "The worker that had taken it ended" in text
    assert "it is sent again under the same id" in text
    assert "times-bar" not in text


def test_deliveries_are_searched(alice_client: Client, created: CreatedRealm, delivery: WebhookDelivery):
    page = url_of(created, "deliveries")
    WebhookDelivery.objects.update(channel="door", state="dead", last_cause="timeout")

    ids = (f"?webhook_id={delivery.webhook_id}", f"?webhook={delivery.endpoint_id}")
    for query in (
        "",
        "?state=dead",
        "?channel=door",
        "?kind=webhook.test",
        "?state=x",
        "?since=2020-01-01T00:00",
        *ids,
    ):
        assert "Given up: timeout" in text_of(alice_client.get(page + query)), query
    for query in (
        "?state=delivered",
        "?channel=roof",
        "?webhook=99",
        "?since=2100-01-01T00:00",
        f"?before={delivery.pk}",
    ):
        assert "There is none like that" in text_of(alice_client.get(page + query)), query


def test_one_or_all_are_sent_again(alice_client: Client, created: CreatedRealm, delivery: WebhookDelivery):
    WebhookDelivery.objects.update(state="dead")
    answer = alice_client.post(url_of(created, "replay_one", delivery.pk), follow=True)
    assert "It is sent again" in text_of(answer)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.replays) == ("waiting", 1)

    WebhookDelivery.objects.update(state="dead")
    again = url_of(created, "replay", delivery.endpoint_id)
    body = {"since": "2020-01-01T00:00", "what": "dead"}
    assert "Sent again: 1" in text_of(alice_client.post(again, body, follow=True))
    assert "nothing to send again" in text_of(alice_client.post(again, body, follow=True))
    assert alice_client.post(again, {"since": "yesterday", "what": "dead"}).status_code == 422
    disable_endpoint(realm=created.realm, endpoint_id=delivery.endpoint_id)
    assert alice_client.post(again, body).status_code == 422


def test_an_endpoint_is_removed(alice_client: Client, created: CreatedRealm, row: WebhookEndpoint):
    page = text_of(alice_client.post(url_of(created, "remove", row.pk), follow=True))

    assert "is removed" in page
    assert not WebhookEndpoint.objects.exists()
