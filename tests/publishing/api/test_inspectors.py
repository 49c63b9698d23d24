"""Inspectors by program: what `fanout listen` follows."""

from base64 import b64decode

import pytest
from django.core.cache import cache
from django.test import Client

from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller


@pytest.fixture
def base(created: CreatedRealm) -> str:
    cache.clear()
    return f"realms/{created.realm.pk}/inspectors"


def test_an_inspector_is_opened_followed_and_closed(alices_caller: Caller, base: str):
    opened = alices_caller.post(base, {"patterns": ["orders.*"], "events": ["channel.message"]})
    assert (opened.status_code, opened.json()["newest"]) == (201, 0)
    place, path = opened.headers["Location"], "/inspect/" + opened.json()["url"].partition("/inspect/")[2]
    for number in range(3):
        Client().post(path, f"body {number}".encode(), content_type="text/plain", headers={"webhook-id": "msg_1"})

    first = alices_caller.get(f"{place}/requests").json()["items"]
    assert [b64decode(one["body"]) for one in first] == [b"body 0", b"body 1", b"body 2"]
    assert ["webhook-id", "msg_1"] in first[0]["headers"]
    assert alices_caller.get(f"{place}/requests?after={first[1]['id']}").json()["items"] == first[2:]
    assert alices_caller.get(f"{place}/requests?after={first[2]['id']}").json()["items"] == []
    assert alices_caller.get(place).json()["newest"] == first[2]["id"]
    assert [row["id"] for row in alices_caller.get(base).json()["items"]] == [opened.json()["id"]]
    assert alices_caller.get(base.replace("inspectors", f"webhooks/{opened.json()['webhook']}")).status_code == 200
    assert alices_caller.delete(place).status_code == 204
    assert alices_caller.get(place).json()["code"] == "inspector_not_found"


def test_one_of_another_realm_is_not_found(alices_caller: Caller, base: str, charlies_caller: Caller):
    place = alices_caller.post(base, {}).json()["id"]
    theirs = f"realms/{charlies_caller.post('realms', {}).json()['id']}/inspectors/{place}"

    for answer in (
        charlies_caller.get(theirs),
        charlies_caller.get(f"{theirs}/requests"),
        charlies_caller.delete(theirs),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "inspector_not_found")


def test_what_is_wrong_is_named(alices_caller: Caller, base: str):
    assert alices_caller.post(base, {"patterns": ["a*b"]}).json()["field"] == "patterns[0]"
    assert alices_caller.post(base, {"events": ["x"]}).status_code == 400
    place = alices_caller.post(base, {}).headers["Location"]
    assert alices_caller.get(f"{place}/requests?after=-1").status_code == 400
