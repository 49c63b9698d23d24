"""Channel rules by program."""

import pytest

from realms.services import CreatedRealm
from realms.snapshots import find_snapshot
from tests.publishing.api.callers import Caller


def test_a_rule_is_added_changed_and_removed(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}/rules"
    made = alices_caller.post(base, {"pattern": "orders.*", "access": "token", "presence": True})
    assert made.status_code == 201
    location = made.headers["Location"]

    snapshot = find_snapshot(created.realm.pk)
    assert snapshot is not None
    assert snapshot.rules.find("orders.7").access == "token"
    assert alices_caller.get(base).json()["items"] == [alices_caller.get(location).json()]
    changed = alices_caller.patch(location, {"access": "public", "join_leave": True}).json()
    assert (changed["pattern"], changed["presence"], changed["join_leave"]) == ("orders.*", True, True)
    refused = alices_caller.patch(location, {"presence": False})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (400, "invalid_rule", "join_leave")
    assert alices_caller.post(base, {"pattern": "orders.*"}).json()["code"] == "rule_exists"
    assert alices_caller.delete(location).status_code == 204
    assert alices_caller.get(location).json()["code"] == "rule_not_found"


def test_a_dry_run_tells_which_rule_holds(alices_caller: Caller, created: CreatedRealm):
    base = f"realms/{created.realm.pk}/rules"
    for pattern in ("*", "orders.*", "orders.7", "other"):
        alices_caller.post(base, {"pattern": pattern})

    found = alices_caller.get(f"{base}/match?channel=orders.7").json()["rules"]

    assert [rule["pattern"] for rule in found] == ["orders.7", "orders.*", "*"]
    assert alices_caller.get(f"{base}/match").json()["field"] == "channel"


@pytest.mark.parametrize("pattern", ["", "a*b", "**", "x" * 600, "a\x07"])
def test_what_is_no_pattern_is_refused(alices_caller: Caller, created: CreatedRealm, pattern: str):
    answer = alices_caller.post(f"realms/{created.realm.pk}/rules", {"pattern": pattern})

    assert (answer.status_code, answer.json()["field"]) == (400, "pattern")
