"""The delivery plane by program."""

import pytest
from django.apps import apps

from fanoutcloud.core.items import Item
from fanoutcloud.core.reads import Whose
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller
from tests.publishing.api.reads import POSITION


def asked() -> list[object]:
    return apps.get_app_config("publishing").plane.reads.asked


def test_channels_history_and_connections_are_read(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    base = f"realms/{created.realm.pk}"

    channels = alices_caller.get(f"{base}/channels?prefix=do").json()
    assert channels["items"] == [{"channel": "door", "subscribers": 1, "by_transport": {"websocket": 1}}]
    assert channels["missing"] == ["e2"]
    channel = alices_caller.get(f"{base}/channel?channel=door").json()
    assert (channel["position"], channel["last_item"]["data"]) == (str(POSITION), {"open": True})
    history = alices_caller.get(f"{base}/history?channel=door&after={POSITION}&limit=5").json()
    assert history["items"][0]["id"] == "18"
    assert history["items"][0]["published_at"] == "2027-01-15T08:00:00.500000Z"
    listed = alices_caller.get(f"{base}/connections?user=42&transport=websocket&behind=true").json()
    assert listed["items"][0]["info"] == {"name": "Ann"}
    assert listed["items"][0]["channels"] == [{"channel": "door", "position": str(POSITION), "behind": 0}]
    assert (listed["items"][0]["acked_bytes"], listed["items"][0]["round_trip_ms"]) == (5120, 1.5)
    assert listed["next"] == "c1"
    assert alices_caller.get(f"{base}/connections/c1").json() == listed["items"][0]
    assert alices_caller.get(f"{base}/connections/c2").json()["code"] == "connection_not_found"
    assert asked() == [
        (created.realm.pk, ("do", None, 50)),
        (created.realm.pk, "door"),
        (created.realm.pk, ("door", None, POSITION, 5)),
        (created.realm.pk, (None, "42", "websocket", True, None, 50)),
        (created.realm.pk, "c1"),
        (created.realm.pk, "c2"),
    ]


def test_connections_are_ended(alices_caller: Caller, created: CreatedRealm, published: list[Item]):
    path = f"realms/{created.realm.pk}/disconnect"

    answer = alices_caller.post(path, {"user": "42", "reason": "signed out", "may_reconnect": True})

    assert answer.json() == {"connections": 2, "missing": []}
    assert asked() == [(created.realm.pk, (Whose(user="42"), "signed out", True))]
    for body in ({}, {"user": "42", "channel": "door"}):
        assert alices_caller.post(path, body).json()["field"] == "body"
    assert alices_caller.post(path, {"user": "42", "reason": "é" * 100}).json()["field"] == "reason"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "channel"),
        ("?channel=", "channel"),
        ("?channel=door&after=x", "after"),
        (f"?channel=door&after={POSITION}&before={POSITION}", "before"),
        ("?channel=door&limit=101", "limit"),
    ],
)
def test_a_bad_question_is_named(
    alices_caller: Caller, created: CreatedRealm, published: list[Item], query: str, field: str
):
    answer = alices_caller.get(f"realms/{created.realm.pk}/history{query}")

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert asked() == []
