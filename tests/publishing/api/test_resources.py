"""What all resources share: problems, conditions, pages, repetition, limits, forms of bodies."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from publishing.tasks import forget_old_rows
from realms.models import ApiKey, Invitation, Realm, StoredAnswer
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.api.callers import Caller


def test_a_problem_names_code_place_and_cure(alices_caller: Caller, created: CreatedRealm):
    answer = alices_caller.patch(f"realms/{created.realm.pk}", {"label": "x" * 81, "colour": "red"})

    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "invalid_fields"
    assert problem["type"].endswith("/api/problems/#invalid_fields")
    assert {entry["field"] for entry in problem["errors"]} == {"label", "colour"}
    assert "known are: label" in str(problem["errors"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b"[1]", 400, "invalid_fields"),
        (b'{"label": "\xff"}', 400, "not_json"),
        (b'{"label": "\\ud800"}', 400, "not_json"),
        (b'{"label": "a\\u0000b"}', 400, "invalid_fields"),
        (b'{"label": "a\\u0007b"}', 400, "invalid_label"),
        (b"[" * 100_000, 400, "not_json"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, 400, "not_json"),
        (b'{"label": 7.5e400}', 400, "not_json"),
        (b'{"label": {"a": 1}}', 400, "invalid_fields"),
    ],
)
def test_a_bad_body_is_refused(alices_caller: Caller, created: CreatedRealm, body: bytes, status: int, code: str):
    answer = alices_caller.patch(f"realms/{created.realm.pk}", body)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_only_json_goes_in_and_out(alices_caller: Caller, created: CreatedRealm):
    path = f"realms/{created.realm.pk}"

    form = alices_caller.patch(path, b"label=x", Content_Type="application/x-www-form-urlencoded")
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    page = alices_caller.get(path, Accept="text/html")
    assert (page.status_code, page.json()["code"]) == (406, "not_acceptable")


def test_unknown_members_of_the_query_are_named(alices_caller: Caller):
    answer = alices_caller.get("realms?colour=red")
    assert (answer.status_code, answer.json()["field"]) == (400, "colour")

    assert alices_caller.get("realms?limit=0").json()["field"] == "limit"
    assert alices_caller.get("realms?limit=201").json()["field"] == "limit"
    assert alices_caller.get("realms?limit=1&limit=2").json()["field"] == "limit"


def test_an_unknown_address_is_a_problem_and_no_page(alices_caller: Caller):
    for method in ("GET", "POST"):
        answer = alices_caller(method, "nothing/here")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_method_that_is_not_offered_is_told_which_are(alices_caller: Caller, created: CreatedRealm):
    answer = alices_caller.put(f"realms/{created.realm.pk}", {})

    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}


def test_head_and_options(alices_caller: Caller, nobody: Caller, created: CreatedRealm):
    head = alices_caller("HEAD", f"realms/{created.realm.pk}")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"]

    options = nobody("OPTIONS", "realms")
    assert options.status_code == 204
    assert set(options.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}


# -- conditions ----------------


def test_what_the_client_has_is_not_sent_again(alices_caller: Caller, created: CreatedRealm):
    path = f"realms/{created.realm.pk}"
    etag = alices_caller.get(path).headers["ETag"]

    same = alices_caller.get(path, If_None_Match=f'"other", W/{etag}')
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    alices_caller.patch(path, {"label": "new"})
    assert alices_caller.get(path, If_None_Match=etag).status_code == 200


def test_nobody_writes_over_a_change_that_they_have_not_seen(alices_caller: Caller, created: CreatedRealm):
    path = f"realms/{created.realm.pk}"
    etag = alices_caller.get(path).headers["ETag"]

    changed = alices_caller.patch(path, {"label": "mine"}, If_Match=etag)
    assert changed.status_code == 200
    late = alices_caller.patch(path, {"label": "theirs"}, If_Match=etag)
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    assert alices_caller.delete(path, If_Match=etag).status_code == 412

    assert alices_caller.get(path).json()["label"] == "mine"
    assert alices_caller.patch(path, {"label": "third"}, If_Match=changed.headers["ETag"]).status_code == 200


# -- pages ----------------


def test_pages_show_everything_once_while_rows_come_and_go(alices_caller: Caller, alice: User):
    realms = [make_realm(alice, label=str(number)).realm for number in range(7)]
    seen, path = [], "realms?limit=2"
    while path:
        answer = alices_caller.get(path)
        seen += [realm["label"] for realm in answer.json()["items"]]
        if len(seen) == 2:
            realms[0].delete()  # seen already: nothing moves
            make_realm(alice, label="new")
        cursor = answer.json()["next"]
        path = f"realms?limit=2&cursor={cursor}" if cursor else ""
        assert (cursor is not None) == ("Link" in answer.headers)

    assert seen == ["0", "1", "2", "3", "4", "5", "6", "new"]


@pytest.mark.parametrize(
    "cursor", ["x", "é", "W10", "WzFd", "WyJ4IiwieSJd", "WyIwMDAwIiwiXHUwMDAwIl0", "bnVsbA", "W" * 900]
)
def test_a_cursor_of_another_list_is_refused(alices_caller: Caller, cursor: str):
    answer = alices_caller.get(f"realms?cursor={cursor}")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


# -- repetition ----------------


def test_a_repeated_request_is_done_once(alices_caller: Caller):
    first = alices_caller.post("realms", {"label": "once"}, Idempotency_Key="k1")
    again = alices_caller.post("realms", {"label": "once"}, Idempotency_Key="k1")

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["Location"] == again.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Realm.objects.count() == 1


def test_a_key_with_another_request_is_a_conflict(alices_caller: Caller):
    alices_caller.post("realms", {"label": "one"}, Idempotency_Key="k1")

    answer = alices_caller.post("realms", {"label": "two"}, Idempotency_Key="k1")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")


def test_what_failed_can_be_tried_again_and_keys_are_each_callers_own(alices_caller: Caller, charlies_caller: Caller):
    assert alices_caller.post("realms", {"label": "x" * 99}, Idempotency_Key="k1").status_code == 400
    assert alices_caller.post("realms", {"label": "x"}, Idempotency_Key="k1").status_code == 201
    assert charlies_caller.post("realms", {"label": "mine"}, Idempotency_Key="k1").json()["label"] == "mine"


def test_a_stored_answer_holds_no_secret_in_clear(alices_caller: Caller, created: CreatedRealm):
    answer = alices_caller.post(f"realms/{created.realm.pk}/keys", {}, Idempotency_Key="k1")

    assert ApiKey.objects.count() == 2
    assert answer.json()["key"] not in json.dumps(list(StoredAnswer.objects.values()), default=str)


def test_what_is_kept_for_a_time_is_forgotten(alices_caller: Caller, created: CreatedRealm):
    alices_caller.post("realms", {}, Idempotency_Key="k1")
    alices_caller.post("realms", {}, Idempotency_Key="k2")
    alices_caller.post(f"realms/{created.realm.pk}/invitations", {"email": "b@example.com", "role": "viewer"})
    StoredAnswer.objects.filter(key="k1").update(created_at=timezone.now() - timedelta(hours=25))
    Invitation.objects.update(expires_at=timezone.now())

    forget_old_rows()

    assert [row.key for row in StoredAnswer.objects.all()] == ["k2"]
    assert not Invitation.objects.exists()
    assert "Idempotency-Replayed" not in alices_caller.post("realms", {}, Idempotency_Key="k1").headers


LISTS = [
    "realms",
    "me/tokens",
    "{realm}/keys",
    "{realm}/members",
    "{realm}/invitations",
    "{realm}/tokens",
    "{realm}/rules",
    "{realm}/request-subscriptions",
    "{realm}/audit",
]


@pytest.mark.parametrize("path", LISTS)
def test_a_list_costs_at_most_four_queries(
    alices_caller: Caller, created: CreatedRealm, path: str, django_assert_max_num_queries
):
    base = f"realms/{created.realm.pk}"
    for number in range(5):
        alices_caller.post(f"{base}/rules", {"pattern": f"a{number}"})
        alices_caller.post(f"{base}/keys", {})
        alices_caller.post(f"{base}/tokens", {"scopes": ["realms:read"]})
        alices_caller.post(f"{base}/invitations", {"email": f"b{number}@example.com", "role": "viewer"})

    with django_assert_max_num_queries(4):  # the token, the realm with the role, the rows, the owner of members
        assert alices_caller.get(path.replace("{realm}", base)).status_code == 200


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_form(alices_caller: Caller, key: str):
    answer = alices_caller.post("realms", {}, Idempotency_Key=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_idempotency_key")


# -- limits ----------------


def test_requests_are_counted_by_credential(alices_caller: Caller, charlies_caller: Caller, settings: Settings):
    settings.API_REQUESTS_PER_MINUTE = 3

    codes = [alices_caller.get("me").status_code for _ in range(5)]

    assert 429 in codes
    assert charlies_caller.get("me").status_code == 200


def test_a_failure_that_nobody_foresaw_is_a_problem_too(alices_caller: Caller, monkeypatch, caplog):
    monkeypatch.setattr("publishing.api.realms.list_realms_as", lambda actor: 1 / 0)

    answer = alices_caller.get("realms")

    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert "api_failed" in caplog.text
