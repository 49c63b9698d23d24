"""Realms and their keys by program."""

import pytest

from accounts.models import User
from publishing.authentication import check_credential, read_credential
from realms.models import ApiKey, Member, Realm
from realms.roles import Role
from realms.services import CreatedRealm
from realms.snapshots import find_snapshot
from tests.factories import make_realm
from tests.publishing.api.callers import Caller


def test_a_realm_is_created_labelled_and_deleted(alices_caller: Caller, alice: User):
    made = alices_caller.post("realms", {"label": " staging "})

    assert made.status_code == 201
    realm = made.json()
    assert (realm["label"], realm["role"]) == ("staging", "owner")
    assert Realm.objects.get(pk=realm["id"]).owner == alice
    snapshot = find_snapshot(realm["id"])
    assert snapshot is not None
    check_credential(snapshot, read_credential(f"Bearer {realm['key']}".encode()), 0.0)

    location = made.headers["Location"]
    assert alices_caller.get(location).json()["label"] == "staging"
    assert alices_caller.patch(location, {"label": ""}).json()["label"] == ""
    assert alices_caller.patch(location, {}).json()["label"] == ""
    assert alices_caller.delete(location).status_code == 204
    assert alices_caller.get(location).status_code == 404


def test_all_realms_that_one_may_enter_are_listed(alices_caller: Caller, created: CreatedRealm, alice: User, bob: User):
    shared = make_realm(bob, label="bob's").realm
    make_realm(bob, label="hidden")
    Member.objects.create(realm=shared, user=alice, role=Role.VIEWER)

    listed = alices_caller.get("realms").json()["items"]

    assert [(realm["id"], realm["role"]) for realm in listed] == [(created.realm.pk, "owner"), (shared.pk, "viewer")]


def test_keys_are_issued_shown_and_revoked(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}/keys"
    made = alices_caller.post(base, {"label": "web servers"})
    assert made.status_code == 201
    location = made.headers["Location"]

    listed = alices_caller.get(base).json()["items"]
    assert [key["label"] for key in listed] == ["", "web servers"]
    assert "key" not in listed[0]
    assert alices_caller.get(location).json() == listed[1]
    revealed = alices_caller.post(f"{location}/reveal")
    assert revealed.json()["key"] == made.json()["key"]
    assert revealed.headers["Cache-Control"] == "no-store"

    assert alices_caller.delete(location).status_code == 204
    assert alices_caller.get(location).json()["code"] == "key_not_found"
    last = alices_caller.delete(f"{base}/{created.key.pk}")
    assert (last.status_code, last.json()["code"]) == (409, "last_key")


def test_another_realms_key_is_none_of_this_one(alices_caller: Caller, alice: User, created: CreatedRealm):
    other = make_realm(alice)

    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/reveal")):
        answer = alices_caller(method, f"realms/{other.realm.pk}/keys/{created.key.pk}{tail}")
        assert answer.json()["code"] == "key_not_found"
    assert ApiKey.objects.live(created.realm).count() == 1


@pytest.mark.parametrize("key_id", ["99999999999999999999999", "0", "-1", "x"])
def test_ids_that_can_not_be_are_missing(alices_caller: Caller, created: CreatedRealm, key_id: str):
    assert alices_caller.get(f"realms/{created.realm.pk}/keys/{key_id}").status_code == 404


def test_listing_costs_the_same_however_many_there_are(alices_caller: Caller, alice: User, django_assert_num_queries):
    for _ in range(20):
        make_realm(alice)
    alices_caller.get("realms")

    with django_assert_num_queries(2):  # the token, the page
        assert len(alices_caller.get("realms").json()["items"]) == 20
