"""Webhook endpoints by program: what is set, shown, refused and noted."""

import pytest

from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.own_headers import open_headers
from realms.audit import Action
from realms.models import AuditEntry
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller

URL = "https://hooks.example.com/in"


@pytest.fixture
def base(created: CreatedRealm) -> str:
    return f"realms/{created.realm.pk}/webhooks"


@pytest.fixture
def place(alices_caller: Caller, base: str) -> str:
    return f"{base}/{alices_caller.post(base, {'url': URL}).json()['id']}"


def test_an_endpoint_is_added_with_its_secret_and_listed_without(alices_caller: Caller, base: str):
    body = {"url": URL, "label": "orders", "patterns": ["orders.*"], "events": ["channel.message"], "has_v1a": True}
    added = alices_caller.post(base, body)

    assert added.status_code == 201, added.content
    new = added.json()
    assert (new["url"], new["label"], new["patterns"], new["state"]) == (URL, "orders", ["orders.*"], "active")
    assert new["secret"].startswith("whsec_")
    assert new["public_key"].startswith("whpk_")
    listed = alices_caller.get(base).json()["items"]
    assert [row["id"] for row in listed] == [new["id"]]
    assert "secret" not in listed[0]
    assert alices_caller.get(added.headers["Location"]).json() == listed[0]


def test_the_secret_is_shown_on_request_and_that_is_noted(alices_caller: Caller, place: str):
    shown = alices_caller.post(f"{place}/reveal")

    assert shown.json()["secret"].startswith("whsec_")
    assert AuditEntry.objects.filter(action=Action.WEBHOOK_SECRET_SHOWN).count() == 1


def test_a_rotation_keeps_the_old_secret_for_a_while(alices_caller: Caller, place: str):
    before = alices_caller.post(f"{place}/reveal").json()["secret"]
    after = alices_caller.post(f"{place}/rotate", {"overlap_s": 3600}).json()["secret"]

    assert after != before
    assert alices_caller.get(place).json()["old_secret_until"] is not None
    alices_caller.post(f"{place}/rotate", {"overlap_s": 0})
    assert alices_caller.get(place).json()["old_secret_until"] is None
    assert alices_caller.post(f"{place}/rotate", {"overlap_s": 10**7}).status_code == 400


def test_an_endpoint_is_changed_if_it_is_as_the_caller_saw_it(alices_caller: Caller, place: str):
    tag = alices_caller.get(place).headers["ETag"]

    changed = alices_caller.patch(place, {"is_ordered": True, "timeout_s": 5}, If_Match=tag)
    assert (changed.status_code, changed.json()["is_ordered"], changed.json()["timeout_s"]) == (200, True, 5)
    assert changed.json()["url"] == URL
    assert alices_caller.patch(place, {"is_ordered": False}, If_Match=tag).status_code == 412


def test_headers_of_its_own_are_set_and_their_values_never_shown(alices_caller: Caller, base: str):
    added = alices_caller.post(base, {"url": URL, "headers": {"Authorization": "Bearer abc", "X-B": "2"}}).json()
    place = f"{base}/{added['id']}"

    assert added["headers"] == alices_caller.get(place).json()["headers"] == {"Authorization": "…", "X-B": "…"}
    changed = alices_caller.patch(place, {"headers": {"Authorization": "…"}}).json()
    assert changed["headers"] == {"Authorization": "…"}
    assert open_headers(WebhookEndpoint.objects.get().sealed_headers) == [("Authorization", "Bearer abc")]
    assert alices_caller.patch(place, {"url": "https://other.example.com/in"}).json()["field"] == "headers"


def test_an_endpoint_is_paused_disabled_and_resumed(alices_caller: Caller, place: str):
    states = [alices_caller.post(f"{place}/{deed}").json()["state"] for deed in ("pause", "disable", "resume")]

    assert states == ["paused", "disabled", "active"]


def test_why_it_is_failing_and_how_much_it_takes_is_told(alices_caller: Caller, place: str):
    well = alices_caller.get(place).json()
    WebhookEndpoint.objects.update(failures_in_row=2, poor_share=12, calls_at_once=1, calls_per_minute=30)

    failing = alices_caller.get(place).json()

    names = ("failing_cause", "failures_in_row", "calls_at_once", "calls_per_minute")
    assert [well[name] for name in names] == ["", 0, 10, None]
    assert [failing[name] for name in names] == ["12 % of 50 attempts succeeded; the last 2 failed", 2, 1, 30]


def test_what_was_missed_while_it_was_disabled_is_asked_for_once(alices_caller: Caller, place: str):
    assert alices_caller.post(f"{place}/history").json()["code"] == "webhook_nothing_missed"
    alices_caller.post(f"{place}/disable")
    since = alices_caller.post(f"{place}/resume").json()["missed_since"]

    asked = alices_caller.post(f"{place}/history")

    assert asked.status_code == 202, asked.content
    assert asked.json() | {"asked_at": ""} == {
        "id": asked.json()["id"], "since": since, "asked_at": "", "finished_at": None, "is_missed": True, "stored": 0,
        "is_cut": False,
    }  # fmt: skip
    assert alices_caller.get(place).json()["missed_since"] is None
    assert alices_caller.post(f"{place}/history").status_code == 409
    later = alices_caller.post(f"{place}/history", {"since": "2026-01-01T00:00:00Z"}).json()
    assert alices_caller.get(f"{place}/history").json()["items"] == [later, asked.json()]


def test_a_removed_endpoint_is_gone(alices_caller: Caller, place: str):
    assert alices_caller.delete(place).status_code == 204
    assert alices_caller.get(place).json()["code"] == "webhook_not_found"
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": "https://u:p@hooks.example.com/"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/"}, "url"),
        ({"url": "https://2130706433/"}, "url"),
        ({"url": URL, "patterns": []}, "patterns"),
        ({"url": URL, "patterns": ["a*b"]}, "patterns[0]"),
        ({"url": URL, "events": ["channel.exploded"]}, "events[0]"),
        ({"url": URL, "format": "xml"}, "format"),
        ({"url": URL, "timeout_s": 31}, "timeout_s"),
        ({"url": URL, "timeout_s": "5"}, "timeout_s"),
        ({"url": URL, "headers": {"Host": "x"}}, "headers.Host"),
        ({"url": URL, "headers": {"X-A": 7}}, "headers"),
        ({"url": URL, "headers": ["X-A"]}, "headers"),
        ({"url": URL, "colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_added(alices_caller: Caller, base: str, body: object, field: str):
    answer = alices_caller.post(base, body)

    problem = answer.json()
    places = [problem.get("field"), *(entry["field"] for entry in problem.get("errors", []))]
    assert answer.status_code == 400
    assert field in places, problem
    assert not WebhookEndpoint.objects.exists()


def test_one_of_another_realm_is_not_found(alices_caller: Caller, place: str, charlies_caller: Caller):
    theirs = charlies_caller.post("realms", {}).json()["id"]
    endpoint_id = place.rpartition("/")[2]

    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/reveal"), ("POST", "/test")):
        answer = charlies_caller(method, f"realms/{theirs}/webhooks/{endpoint_id}{path}", {})
        assert (answer.status_code, answer.json()["code"]) == (404, "webhook_not_found")


def test_what_was_given_up_is_sent_again(alices_caller: Caller, place: str):
    delivery = alices_caller.post(f"{place}/test").json()
    WebhookDelivery.objects.filter(pk=delivery["id"]).update(state="dead")

    body = {"since": "2026-01-01T00:00:00Z"}
    assert alices_caller.post(f"{place}/replay", body).json() == {"count": 1}
    assert alices_caller.post(f"{place}/replay", body).json() == {"count": 0}
    assert alices_caller.post(f"{place}/replay", {}).status_code == 400
    alices_caller.post(f"{place}/disable")
    refused = alices_caller.post(f"{place}/replay", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "webhook_disabled")
