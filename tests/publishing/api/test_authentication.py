"""Who calls the management API: tokens, keys, sessions, and what does not hold."""

import base64
import time
from datetime import timedelta

import jwt
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from realms.models import ApiToken
from realms.scopes import KEY_SCOPES, Scope
from realms.services import CreatedRealm, issue_api_key, revoke_api_key
from tests.publishing.api.callers import Caller, personal_token, realm_token


def test_nobody_is_asked_for_a_credential(nobody: Caller):
    answer = nobody.get("me")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "no_credential"
    assert "API token" in answer.json()["cure"]


def test_a_personal_token_says_whose_it_is(alice: User):
    answer = Caller(f"Bearer {personal_token(alice, [Scope.REALMS_READ])}").get("me")

    assert answer.json()["email"] == alice.email
    assert answer.json()["scopes"] == ["realms:read"]
    assert answer.json()["realm"] is None


def test_a_realm_token_belongs_to_nobody(created: CreatedRealm):
    answer = Caller(f"Bearer {realm_token(created.realm)}").get("me")

    assert answer.json()["email"] is None
    assert answer.json()["realm"] == created.realm.pk


@pytest.mark.parametrize("form", ["basic", "jwt", "bearer"])
def test_a_key_opens_its_own_realm(created: CreatedRealm, form: str):
    realm, secret = created.realm.pk, created.secret
    claims = {"iss": realm, "exp": time.time() + 60}
    credential = {
        "basic": "Basic " + base64.b64encode(f"{realm}:{secret}".encode()).decode(),
        "jwt": "Bearer " + jwt.encode(claims, base64.b64decode(secret), algorithm="HS256"),
        "bearer": f"Bearer {secret}",
    }[form]

    answer = Caller(credential).get(f"realms/{realm}")

    assert answer.status_code == 200
    assert answer.json()["role"] == "developer"


def test_a_key_shows_no_secrets_and_no_people(created: CreatedRealm):
    caller = Caller(f"Bearer {created.secret}")

    for path in ("keys", "tokens"):
        answer = caller.get(f"realms/{created.realm.pk}/{path}")
        assert answer.status_code == 403
        assert answer.json()["code"] == "scope_missing"
    assert Scope.KEYS_REVEAL not in KEY_SCOPES


def test_a_revoked_key_opens_nothing(created: CreatedRealm):
    issue_api_key(realm=created.realm, issued_by=created.realm.owner)
    revoke_api_key(realm=created.realm, key_id=created.key.pk)

    answer = Caller(f"Bearer {created.secret}").get(f"realms/{created.realm.pk}")

    assert answer.status_code == 401
    assert answer.json()["code"] == "wrong_key"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: text[:-1], "bad_token"),
        (lambda text: text[:20] + ("A" if text[20] != "A" else "B") + text[21:], "bad_token"),
        (lambda text: "fan_u_" + "A" * 46, "bad_token"),
        (lambda text: "x" * 9000, "bad_credential"),
        (lambda text: "a.b.c", "bad_token"),
    ],
)
def test_what_is_no_token_is_refused(alice: User, change, code: str):
    answer = Caller(f"Bearer {change(personal_token(alice))}").get("me")

    assert (answer.status_code, answer.json()["code"]) == (401, code)


def test_a_token_ends(alice: User):
    text = personal_token(alice, expires_at=timezone.now() + timedelta(hours=1))
    caller = Caller(f"Bearer {text}")
    assert caller.get("me").status_code == 200

    ApiToken.objects.update(expires_at=timezone.now())

    answer = caller.get("me")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")


def test_a_token_of_somebody_who_may_not_sign_in_opens_nothing(alice: User, alices_caller: Caller):
    User.objects.update(is_active=False)

    assert alices_caller.get("me").status_code == 401


def test_the_last_use_is_noted_once_a_minute(alice: User, django_assert_num_queries):
    text = personal_token(alice)
    Caller(f"Bearer {text}", address="192.0.2.7").get("me")
    token = ApiToken.objects.get()
    assert token.last_used_from == "192.0.2.7"
    first = token.last_used_at

    with django_assert_num_queries(1):  # the look-up, and no write
        Caller(f"Bearer {text}", address="192.0.2.8").get("me")
    ApiToken.objects.update(last_used_at=first - timedelta(seconds=61))
    Caller(f"Bearer {text}", address="192.0.2.9").get("me")

    token.refresh_from_db()
    assert token.last_used_from == "192.0.2.9"
    assert text not in repr(token.__dict__)


def test_a_session_reads_and_needs_its_csrf_token_to_change(alice: User, created: CreatedRealm):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    path = f"/api/v1/realms/{created.realm.pk}"
    assert client.get(path).json()["role"] == "owner"

    refused = client.patch(path, {"label": "x"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")

    page = client.get(reverse("realms:detail", args=[created.realm.pk]))
    token = str(page.context["csrf_token"])
    done = client.patch(path, {"label": "x"}, content_type="application/json", headers={"X-CSRFToken": token})
    assert done.json()["label"] == "x"


def test_guessing_is_slowed_down(nobody: Caller):
    guesser = Caller("Bearer guess", address="198.51.100.9")
    answers = [guesser.get("realms/0a1b2c3d") for _ in range(130)]

    assert {answer.status_code for answer in answers} == {401, 429}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 429)
    assert Caller(address="198.51.100.10").get("me").status_code == 401
