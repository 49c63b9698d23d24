"""URLs that are called with what is published, by program."""

import pytest

from realms.models import RequestSubscription
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller

URL = "https://hooks.example.com/in"


@pytest.fixture
def base(created: CreatedRealm) -> str:
    return f"realms/{created.realm.pk}/request-subscriptions"


def test_urls_are_added_listed_read_and_removed(alices_caller: Caller, base: str):
    added = alices_caller.post(base, {"channel": "door", "url": URL})
    assert (added.status_code, added.json()["channel"], added.json()["url"]) == (201, "door", URL)
    assert alices_caller.post(base, {"channel": "door", "url": URL}).json() == added.json()
    alices_caller.post(base, {"channel": "roof", "url": URL})

    assert [row["channel"] for row in alices_caller.get(base).json()["items"]] == ["door", "roof"]
    assert alices_caller.get(f"{base}?channel=door").json()["items"] == [added.json()]
    place = added.headers["Location"]
    assert alices_caller.get(place).json() == added.json()
    assert alices_caller.delete(place).status_code == 204
    assert alices_caller.delete(place).json()["code"] == "subscription_not_found"
    assert [row.channel for row in RequestSubscription.objects.all()] == ["roof"]


def test_what_may_not_be_called_is_refused(alices_caller: Caller, base: str):
    answer = alices_caller.post(base, {"channel": "door", "url": "ftp://hooks.example.com/"})

    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "invalid_url", "url")
    assert alices_caller.post(base, {"channel": " \n", "url": URL}).json()["field"] == "channel"


def test_one_of_another_realm_is_not_found(alices_caller: Caller, base: str, charlies_caller: Caller):
    theirs = charlies_caller.post("realms", {}).json()["id"]
    place = charlies_caller.post(f"realms/{theirs}/request-subscriptions", {"channel": "door", "url": URL}).json()["id"]

    assert alices_caller.get(f"{base}/{place}").status_code == 404
    assert alices_caller.delete(f"{base}/{place}").status_code == 404
    assert RequestSubscription.objects.count() == 1
