"""The door of inspectors and their page."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from publishing.inspector import services
from publishing.inspector.services import open_inspector
from publishing.models import InspectedRequest, Inspector
from publishing.webhooks.claims import read_keys
from publishing.webhooks.signing import signature_headers
from realms.models import Member
from realms.roles import Role
from realms.services import CreatedRealm

HTMX = {"HX-Request": "true"}


@pytest.fixture
def inspector(created: CreatedRealm) -> Inspector:
    cache.clear()
    return open_inspector(realm=created.realm)


def door(inspector: Inspector) -> str:
    return f"/inspect/{inspector.name}/"


def send(path: str, body: bytes = b"{}", **headers: str):
    return Client(enforce_csrf_checks=True).generic("POST", path, body, "application/json", headers=headers)


def test_a_signed_request_is_taken_and_its_signature_checked(
    alice_client: Client, created: CreatedRealm, inspector: Inspector
):
    keys = read_keys(inspector.endpoint, timezone.now())
    stamp = int(timezone.now().timestamp())
    headers = dict(signature_headers(keys, webhook_id="msg_1", timestamp=stamp, body=b'{"a":1}'))

    assert send(door(inspector), b'{"a":1}', **headers).json() == {
        "received": True,
        "signature": "valid",
        "problem": "",
    }
    assert send(f"{door(inspector)}?x=y", b"<script>", **headers).json()["signature"] == "invalid"

    page = alice_client.get(reverse("webhooks:inspector", args=[created.realm.pk, inspector.pk])).content.decode()
    assert "Signature valid" in page
    assert "Signature invalid" in page
    assert "webhook-id: msg_1" in page
    assert "?x=y" in page
    assert "<script>" not in page.split("What came")[1]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_is_taken(inspector: Inspector, method: str):
    assert Client().generic(method, door(inspector)).status_code == 200
    assert InspectedRequest.objects.get().method == method


def test_what_is_too_much_is_refused(inspector: Inspector, monkeypatch: pytest.MonkeyPatch):
    assert send(door(inspector), b"x" * 70_000).status_code == 413
    assert send("/inspect/" + "0" * 24 + "/").status_code == 404
    assert send("/inspect/short/").status_code == 404
    monkeypatch.setattr(services, "MAX_REQUESTS_PER_S", 0)
    busy = send(door(inspector))
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "1")
    assert not InspectedRequest.objects.exists()


def test_cookies_and_what_proxies_add_are_not_kept(inspector: Inspector):
    send(door(inspector), Cookie="sessionid=secret", X_Forwarded_For="192.0.2.1", X_Mine="1")

    names = {name for name, _ in InspectedRequest.objects.get().headers}
    assert "x-mine" in names
    assert not names & {"cookie", "x-forwarded-for"}


def test_an_inspector_is_opened_shown_and_closed(alice_client: Client, created: CreatedRealm):
    opened = alice_client.post(reverse("webhooks:inspector_open", args=[created.realm.pk]), follow=True)
    inspector = Inspector.objects.get()
    page = reverse("webhooks:inspector", args=[created.realm.pk, inspector.pk])

    assert services.inspector_url(inspector) in opened.content.decode()
    part = alice_client.get(page, headers=HTMX).content.decode()
    assert "Nothing yet" in part
    assert "<html" not in part
    assert "what came" in alice_client.get(reverse("webhooks:list", args=[created.realm.pk])).content.decode()
    alice_client.post(reverse("webhooks:inspector_close", args=[created.realm.pk, inspector.pk]))
    assert alice_client.get(page).status_code == 404


def test_charlie_finds_nothing_and_viewers_change_nothing(
    created: CreatedRealm, inspector: Inspector, charlie: User, bob: User
):
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    stranger, viewer = Client(), Client()
    stranger.force_login(charlie)
    viewer.force_login(bob)
    deeds = [("inspector_open",), ("inspector_close", inspector.pk)]
    page = reverse("webhooks:inspector", args=[created.realm.pk, inspector.pk])

    assert [stranger.get(page).status_code, viewer.get(page).status_code] == [404, 200]
    for name, *more in deeds:
        url = reverse(f"webhooks:{name}", args=[created.realm.pk, *more])
        assert [stranger.post(url).status_code, viewer.post(url).status_code] == [404, 403]
