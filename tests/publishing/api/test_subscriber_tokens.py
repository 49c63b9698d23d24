"""Making subscriber tokens by program."""

import pytest

from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller


def test_a_token_is_made_that_holds(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}"
    wish = {"user": "42", "channels": {"door": ["subscribe"]}, "lifetime_s": 60, "info": {"name": "Ann"}}

    answer = alices_caller.post(f"{base}/subscriber-tokens", wish)

    assert (answer.status_code, answer.json()["lifetime_s"]) == (200, 60)
    assert answer.headers["Cache-Control"] == "no-store"
    found = alices_caller.post(f"{base}/token-doctor", {"token": answer.json()["token"], "channel": "door"}).json()
    assert found["holds"]
    assert {one["capability"]: one["is_allowed"] for one in found["abilities"]}["subscribe"]


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({}, "channels"),
        ({"channels": {"door": ["fly"]}}, "channels"),
        ({"channels": {"door": "subscribe"}}, "channels"),
        ({"channels": {}, "lifetime_s": 0}, "lifetime_s"),
        ({"channels": {}, "user": "\n"}, "sub"),
        ({"channels": {}, "info": "x" * 3000}, "info"),
    ],
)
def test_what_no_token_can_say_is_named(alices_caller: Caller, created: CreatedRealm, wish: dict, field: str):
    answer = alices_caller.post(f"realms/{created.realm.pk}/subscriber-tokens", wish)

    assert answer.status_code == 400
    assert field in answer.json()["field"]
