"""The quick start for webhooks: one click opens what is called, and the steps are what the server's records say."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from publishing.inspector import services
from publishing.inspector.services import inspector_url, list_inspectors
from publishing.models import WebhookDelivery
from publishing.webhooks.claims import read_keys
from publishing.webhooks.signing import signature_headers
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm


def url_of(created: CreatedRealm, page: str = "webhook_start") -> str:
    return reverse(f"onboarding:{page}", args=[created.realm.pk])


def text_of(response) -> str:
    return response.content.decode()


def test_one_click_opens_what_is_called_and_the_key_is_in_the_snippet(alice_client: Client, created: CreatedRealm):
    before = text_of(alice_client.get(url_of(created)))
    response = alice_client.post(url_of(created, "webhook_open"), follow=True)
    alice_client.post(url_of(created, "webhook_open"))

    (inspector,) = list_inspectors(created.realm)
    page = text_of(response)
    assert inspector.endpoint.patterns == ["orders"]
    assert inspector_url(inspector) in page
    assert created.secret in page
    assert "no-store" in response["Cache-Control"]
    assert (before.count("data-done"), page.count("data-done")) == (0, 1)
    assert reverse("webhooks:list", args=[created.realm.pk]) in page
    assert "/docs/howto/receive-webhooks/" in page


def test_the_steps_are_ticked_by_what_is_on_record(alice_client: Client, created: CreatedRealm):
    alice_client.post(url_of(created, "webhook_open"))
    (inspector,) = list_inspectors(created.realm)
    door = f"/inspect/{inspector.name}/"

    Client().post(door, b"<b>", "text/plain")
    came = text_of(alice_client.get(url_of(created, "webhook_came")))
    assert "Signature unsigned" in came
    assert "&lt;b&gt;" in came
    assert "data-called" not in came

    now = timezone.now()
    WebhookDelivery.objects.create(
        realm=created.realm, endpoint=inspector.endpoint, webhook_id="evt_1", channel="orders", body=b"{}", event_at=now
    )
    keys = read_keys(inspector.endpoint, now)
    headers = dict(signature_headers(keys, webhook_id="evt_1", timestamp=int(now.timestamp()), body=b"{}"))
    Client().post(door, b"{}", "application/json", headers=headers)
    came = text_of(alice_client.get(url_of(created, "webhook_came")))
    assert "Signature valid" in came
    assert "data-published" in came
    assert "data-called" in came
    seen = came.partition("?seen=")[2].partition('"')[0]
    assert alice_client.get(f"{url_of(created, 'webhook_came')}?seen={seen}").status_code == 204
    assert text_of(alice_client.get(url_of(created))).count("data-done") == 3


def test_a_realm_with_too_many_inspectors_reads_what_to_do(
    alice_client: Client, created: CreatedRealm, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(services, "MAX_INSPECTORS_PER_REALM", 0)

    page = text_of(alice_client.post(url_of(created, "webhook_open"), follow=True))

    assert "which is the limit" in page
    assert "lose one" in page
    assert not list_inspectors(created.realm).exists()


def test_charlie_and_viewers_do_not_get_in(charlie_client: Client, charlie: User, created: CreatedRealm):
    ways = [("get", "webhook_start"), ("post", "webhook_open"), ("get", "webhook_came")]
    for method, page in ways:
        assert getattr(charlie_client, method)(url_of(created, page)).status_code == 404

    Member.objects.create(realm=created.realm, user=charlie, role=Role.VIEWER)
    for method, page in ways:
        assert getattr(charlie_client, method)(url_of(created, page)).status_code == 403
    assert not list_inspectors(created.realm).exists()


def test_there_is_nothing_to_ask_for_before_it_is_open(alice_client: Client, created: CreatedRealm):
    assert alice_client.get(url_of(created, "webhook_came")).status_code == 404
