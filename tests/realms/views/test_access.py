"""The page about tokens: doctor, maker, public keys, revocations; nobody else's, and no token left behind."""

import json
import logging

import pytest
from django.test import Client

from accounts.models import User
from realms.access import examine
from realms.models import Member, Revocation, TokenKeySet
from realms.services import CreatedRealm, add_token_keys, make_token, revoke_token
from tests.core.signed import public_jwk
from tests.factories import make_realm

JWK = json.dumps(public_jwk("RS256"))


@pytest.fixture
def page(created: CreatedRealm) -> str:
    return f"/realms/{created.realm.pk}/access/"


def test_the_page_shows_programs_with_the_realms_key_id_and_no_key(
    alice_client: Client, page: str, created: CreatedRealm
) -> None:
    text = alice_client.get(page).content.decode()

    assert created.realm.pk in text
    assert f"&quot;kid&quot;: &quot;{created.key.pk}&quot;" in text
    assert created.secret not in text


def test_the_doctor_tells_every_step(alice_client: Client, page: str, created: CreatedRealm) -> None:
    token = make_token(realm=created.realm, user="alice", channels={"orders.*": ["subscribe"]})

    answer = alice_client.post(f"{page}examine/", {"token": token, "channel": "orders.7"})
    text = answer.content.decode()

    assert answer.status_code == 200
    assert "This token holds" in text
    assert text.count("check-passed") >= 7
    assert token not in text
    assert "field-error" not in text


def test_the_doctor_tells_why_a_token_fails_and_logs_nothing(
    alice_client: Client, page: str, created: CreatedRealm, caplog: pytest.LogCaptureFixture
) -> None:
    token = make_token(realm=created.realm, channels={})[:-4] + "AAAA"
    with caplog.at_level(logging.DEBUG):
        text = alice_client.post(f"{page}examine/", {"token": token}).content.decode()

    assert "wrong_key" in text
    assert token not in text
    assert token not in caplog.text


@pytest.mark.parametrize("fields", [{}, {"token": ""}, {"token": "x" * 50_000}, {"token": "x", "channel": "a\nb"}])
def test_the_doctor_asks_for_a_token(alice_client: Client, page: str, fields: dict[str, str]) -> None:
    assert alice_client.post(f"{page}examine/", fields).status_code in (200, 422)


def test_a_token_is_made_and_shown_once(alice_client: Client, page: str, created: CreatedRealm) -> None:
    fields = {"user": "alice", "channels": "orders.*, hello", "capabilities": ["subscribe"], "lifetime_s": "300"}
    answer = alice_client.post(f"{page}make/", fields)

    token: str = answer.context["made"]
    grant = examine(created.realm, token).examination.grant
    assert grant is not None
    assert [str(permission.pattern) for permission in grant.permissions] == ["orders.*", "hello"]
    assert token not in alice_client.get(page).content.decode()


@pytest.mark.parametrize(
    "change", [{"channels": ""}, {"channels": "a*b"}, {"capabilities": []}, {"lifetime_s": "7"}, {"user": "x" * 300}]
)
def test_a_token_that_can_not_be_is_refused(alice_client: Client, page: str, change: dict[str, object]) -> None:
    fields = {"user": "", "channels": "a", "capabilities": ["subscribe"], "lifetime_s": "300", **change}

    assert alice_client.post(f"{page}make/", fields).status_code == 422


def test_public_keys_are_added_and_removed(alice_client: Client, page: str, created: CreatedRealm) -> None:
    shown = alice_client.post(
        f"{page}keys/add/", {"document": JWK, "label": "our login", "issuer": "https://idp.example"}, follow=True
    )
    row = TokenKeySet.objects.get(realm=created.realm)

    assert b"our login" in shown.content
    alice_client.post(f"{page}keys/{row.pk}/remove/")
    assert not TokenKeySet.objects.exists()
    assert alice_client.post(f"{page}keys/{row.pk}/remove/").status_code == 404


@pytest.mark.parametrize("document", ["", "{", '{"keys":[{"kty":"oct","k":"AA"}]}'])
def test_wrong_keys_are_told(alice_client: Client, page: str, document: str) -> None:
    answer = alice_client.post(f"{page}keys/add/", {"document": document})

    assert answer.status_code == 422
    assert b"field-error" in answer.content


def test_a_user_and_a_token_are_revoked_and_withdrawn(alice_client: Client, page: str, created: CreatedRealm) -> None:
    alice_client.post(f"{page}revocations/add/", {"kind": "user", "name": "bob"})
    shown = alice_client.post(f"{page}revocations/add/", {"kind": "token", "name": "t1"}, follow=True)

    assert {(row.kind, row.name) for row in Revocation.objects.all()} == {("user", "bob"), ("token", "t1")}
    assert b"t1" in shown.content
    for row in Revocation.objects.all():
        alice_client.post(f"{page}revocations/{row.pk}/withdraw/")
    assert not Revocation.objects.exists()
    assert alice_client.post(f"{page}revocations/add/", {"kind": "user", "name": ""}).status_code == 422


def _changes(page: str, key_set: int, revocation: int) -> list[str]:
    return [
        f"{page}make/",
        f"{page}keys/add/",
        f"{page}keys/{key_set}/remove/",
        f"{page}revocations/add/",
        f"{page}revocations/{revocation}/withdraw/",
    ]


def test_nobody_else_gets_in(charlie: User, charlie_client: Client, page: str, created: CreatedRealm) -> None:
    key_set = add_token_keys(realm=created.realm, document=JWK)
    revocation = revoke_token(realm=created.realm, token_id="t1")
    own = f"/realms/{make_realm(charlie).realm.pk}/access/"

    assert charlie_client.get(page).status_code == 404
    for path in [*_changes(page, key_set.pk, revocation.pk), f"{page}examine/"]:
        assert charlie_client.post(path).status_code == 404, path
    assert charlie_client.post(f"{own}keys/{key_set.pk}/remove/").status_code == 404
    assert charlie_client.post(f"{own}revocations/{revocation.pk}/withdraw/").status_code == 404
    assert TokenKeySet.objects.count() == Revocation.objects.count() == 1


def test_a_viewer_may_ask_the_doctor_and_nothing_else(created: CreatedRealm, bob: User, page: str) -> None:
    Member.objects.create(realm=created.realm, user=bob, role="viewer")
    client = Client()
    client.force_login(bob)

    assert client.get(page).status_code == 200
    assert client.post(f"{page}examine/", {"token": "x"}).status_code == 200
    for path in _changes(page, 1, 1):
        assert client.post(path).status_code == 403
