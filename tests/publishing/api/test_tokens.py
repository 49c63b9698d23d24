"""API tokens by program."""

import pytest

from accounts.models import User
from realms.models import ApiToken
from realms.scopes import Scope
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.api.callers import Caller, caller_for


def test_a_personal_token_is_issued_listed_and_revoked(alices_caller: Caller):
    made = alices_caller.post("me/tokens", {"label": "laptop", "scopes": ["realms:read", "realms:read"]})
    assert made.status_code == 201
    text, location = made.json()["token"], made.headers["Location"]
    assert made.json()["scopes"] == ["realms:read"]
    assert text.startswith(made.json()["prefix"])

    assert Caller(f"Bearer {text}").get("realms").status_code == 200
    listed = alices_caller.get("me/tokens").json()["items"]
    assert "token" not in listed[1]
    assert alices_caller.get(location).json()["id"] == listed[1]["id"]
    assert alices_caller.delete(location).status_code == 204
    assert Caller(f"Bearer {text}").get("realms").status_code == 401
    assert not ApiToken.objects.filter(digest=text).exists()


def test_a_realms_token_opens_that_realm_alone(alices_caller: Caller, created: CreatedRealm, alice: User):
    other = make_realm(alice).realm
    made = alices_caller.post(f"realms/{created.realm.pk}/tokens", {"scopes": ["realms:read", "realms:write"]})
    caller = Caller(f"Bearer {made.json()['token']}")

    assert [realm["id"] for realm in caller.get("realms").json()["items"]] == [created.realm.pk]
    assert caller.get(f"realms/{other.pk}").status_code == 404
    assert caller.patch(f"realms/{created.realm.pk}", {"label": "x"}).status_code == 200
    assert caller.delete(f"realms/{created.realm.pk}").json()["code"] == "role_too_low"
    assert caller.post("realms", {}).json()["code"] == "person_needed"
    assert alices_caller.delete(made.headers["Location"]).status_code == 204
    assert caller.get("realms").status_code == 401


def test_no_token_opens_more_than_the_one_that_issued_it(alice: User, created: CreatedRealm):
    caller = caller_for(alice, Scope.TOKENS_WRITE, Scope.REALMS_READ)

    for path in ("me/tokens", f"realms/{created.realm.pk}/tokens"):
        answer = caller.post(path, {"scopes": ["realms:read", "keys:reveal"]})
        assert (answer.status_code, answer.json()["code"]) == (403, "scopes_exceeded")
        assert "keys:reveal" in answer.json()["detail"]
        assert caller.post(path, {"scopes": ["realms:read"]}).status_code == 201


def test_nobody_sees_anothers_tokens(alices_caller: Caller, charlies_caller: Caller):
    location = alices_caller.post("me/tokens", {"scopes": ["realms:read"]}).headers["Location"]

    for method in ("GET", "DELETE"):
        assert charlies_caller(method, location).json()["code"] == "api_token_not_found"
    assert alices_caller.get(location).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes[0]"),
        ({"scopes": "realms:read"}, "scopes"),
        ({"scopes": ["realms:read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"scopes": ["realms:read"], "expires_at": "2300-01-01T00:00:00Z"}, "expires_at"),
        ({"scopes": ["realms:read"], "expires_at": "soon"}, "expires_at"),
        ({"scopes": ["realms:read"], "label": "a\x07"}, "label"),
    ],
)
def test_a_token_that_can_not_be_is_refused(alices_caller: Caller, body: dict[str, object], field: str):
    answer = alices_caller.post("me/tokens", body)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_there_are_so_many_tokens_and_no_more(alices_caller: Caller, monkeypatch):
    monkeypatch.setattr("realms.services.api_tokens.MAX_TOKENS_PER_HOLDER", 2)
    assert alices_caller.post("me/tokens", {"scopes": ["realms:read"]}).status_code == 201

    answer = alices_caller.post("me/tokens", {"scopes": ["realms:read"]})

    assert (answer.status_code, answer.json()["code"]) == (409, "api_token_limit_reached")
