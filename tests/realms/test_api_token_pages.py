"""The pages of API tokens."""

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from realms.models import ApiToken
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller

GOOD = {"label": "laptop", "days": "90", "scopes": ["realms:read"]}


@pytest.fixture(params=["personal", "realm"])
def path(request: pytest.FixtureRequest, created: CreatedRealm) -> str:
    return (
        reverse("personal_tokens") if request.param == "personal" else reverse("realms:tokens", args=[created.realm.pk])
    )


def test_a_token_is_shown_once_and_works(alice_client: Client, path: str):
    page = alice_client.post(path, GOOD).content.decode()
    found = re.search(r'data-copy="(fan_[^"]+)"', html.unescape(page))
    assert found is not None

    assert Caller(f"Bearer {found[1]}").get("realms").status_code == 200
    again = alice_client.get(path).content.decode()
    assert found[1] not in again
    assert found[1][:12] in again
    assert "laptop" in again
    assert "last used on" in again


def test_a_token_is_revoked(alice_client: Client, path: str):
    alice_client.post(path, GOOD)

    page = alice_client.post(f"{path}{ApiToken.objects.get().pk}/revoke/", follow=True).content.decode()

    assert "The token is revoked." in page
    assert not ApiToken.objects.exists()
    assert alice_client.post(f"{path}999999/revoke/").status_code == 404


@pytest.mark.parametrize(
    "change", [{"scopes": []}, {"scopes": ["all"]}, {"days": "5"}, {"label": "x" * 81}, {"label": "bell\x07"}]
)
def test_a_bad_form_issues_nothing(alice_client: Client, path: str, change: dict[str, object]):
    answer = alice_client.post(path, GOOD | change)

    assert answer.status_code == 422
    assert not ApiToken.objects.exists()


def test_nobody_revokes_anothers_token(alice_client: Client, charlie_client: Client, path: str, charlie: User):
    alice_client.post(path, GOOD)

    assert charlie_client.post(f"{path}{ApiToken.objects.get().pk}/revoke/").status_code == 404
    assert ApiToken.objects.exists()
