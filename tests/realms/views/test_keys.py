"""Keys on a realm's page: shown, added, revoked."""

import pytest
from django.test import Client
from django.urls import reverse

from realms.models import ApiKey
from realms.services import CreatedRealm, issue_api_key

HTMX = {"HX-Request": "true"}


def text_of(response) -> str:
    return response.content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_key_is_shown_on_request(alice_client: Client, created: CreatedRealm, headers: dict[str, str]):
    url = reverse("realms:key_reveal", args=[created.realm.pk, created.key.pk])

    response = alice_client.post(url, headers=headers)

    assert f'data-copy="{created.secret}"' in text_of(response)
    assert f"iss={created.realm.pk}&amp;key=base64:" in text_of(response)
    assert "no-store" in response.headers["Cache-Control"]
    assert ("<html" in text_of(response)) is not bool(headers)


def test_a_new_key_is_shown_and_the_old_one_stays_live(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:key_add", args=[created.realm.pk])

    page = text_of(alice_client.post(url, {"label": "web servers"}, headers=HTMX))

    old, new = ApiKey.objects.live(created.realm)
    assert old == created.key
    assert new.label == "web servers"
    assert "web servers" in page
    assert f"{new.hint}&quot;" not in page
    assert "The new key works already" in page


def test_a_bad_label_adds_no_key(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:key_add", args=[created.realm.pk])

    for label in ("x" * 81, "bell\x07"):
        assert alice_client.post(url, {"label": label}, headers=HTMX).status_code == 422

    assert ApiKey.objects.live(created.realm).count() == 1


def test_more_keys_than_the_limit_are_refused_with_the_cure(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:key_add", args=[created.realm.pk])
    for _ in range(9):
        assert alice_client.post(url, {"label": ""}, headers=HTMX).status_code == 200

    response = alice_client.post(url, {"label": ""}, headers=HTMX)

    assert response.status_code == 409
    assert "Revoke a key that is not in use." in text_of(response)


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_revoked_key_leaves_the_page(alice_client: Client, created: CreatedRealm, headers: dict[str, str]):
    issued = issue_api_key(realm=created.realm, issued_by=created.realm.owner)
    url = reverse("realms:key_revoke", args=[created.realm.pk, created.key.pk])

    page = text_of(alice_client.post(url, headers=headers, follow=True))

    assert "The key is revoked." in page
    assert list(ApiKey.objects.live(created.realm)) == [issued.key]


def test_the_last_key_is_not_revoked(alice_client: Client, created: CreatedRealm):
    url = reverse("realms:key_revoke", args=[created.realm.pk, created.key.pk])

    response = alice_client.post(url, headers=HTMX)

    assert response.status_code == 409
    assert "Add another, move your servers to it" in text_of(response)
    assert ApiKey.objects.live(created.realm).count() == 1


def test_a_key_that_is_gone_is_missing(alice_client: Client, created: CreatedRealm):
    for name in ("realms:key_reveal", "realms:key_revoke"):
        assert alice_client.post(reverse(name, args=[created.realm.pk, 999_999])).status_code == 404
