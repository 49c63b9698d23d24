"""Publishing by program."""

import pytest

from fanoutcloud.core.items import Item
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller


def test_items_are_published_and_told_their_places(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    body = {"items": [{"channel": "a", "json-object": 1}, {"channel": "b", "id": "x", "ws-message": {"content": "hi"}}]}

    answer = alices_caller.post(f"realms/{created.realm.pk}/items", body)

    assert answer.status_code == 200, answer.content
    assert [item["channel"] for item in answer.json()["items"]] == ["a", "b"]
    assert all(item["position"].endswith(":1") for item in answer.json()["items"])
    assert [item.id for item in published] == [None, "x"]


def test_a_repeated_publish_has_the_same_ids(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    body = {"items": [{"channel": "a", "json-object": 1}, {"channel": "a", "json-object": 2}]}
    for _ in range(2):
        alices_caller.post(f"realms/{created.realm.pk}/items", body, Idempotency_Key="k")

    ids = [item.id for item in published]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2
    assert None not in ids


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"items": [{"channel": "a"}]}, "items[0]"),
        ({"items": [{"channel": "a", "json-object": 1}, {"json-object": 1}]}, "items[1]"),
        ({"items": []}, "items"),
        ({"items": [1]}, "items[0]"),
        ({"items": [{"channel": "a", "json-object": 1}], "also": 1}, "also"),
        ({}, "items"),
    ],
)
def test_a_bad_item_is_named_and_nothing_is_published(
    alices_caller: Caller, created: CreatedRealm, published: list[Item], body: dict[str, object], field: str
):
    answer = alices_caller.post(f"realms/{created.realm.pk}/items", body)

    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.content
    assert published == []


def test_without_a_plane_there_is_no_publishing(alices_caller: Caller, created: CreatedRealm):
    body = {"items": [{"channel": "a", "json-object": 1}]}

    answer = alices_caller.post(f"realms/{created.realm.pk}/items", body)

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "2"
