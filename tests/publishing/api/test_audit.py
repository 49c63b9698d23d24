"""The audit log by program."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from realms.models import AuditEntry, Member
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller, caller_for


@pytest.fixture
def path(created: CreatedRealm) -> str:
    return f"realms/{created.realm.pk}/audit"


def test_changes_are_listed_newest_first_and_in_pages(alices_caller: Caller, created: CreatedRealm, path: str):
    for number in range(4):
        alices_caller.post(f"realms/{created.realm.pk}/rules", {"pattern": f"a{number}"})

    first = alices_caller.get(f"{path}?limit=2&action=rule.added").json()
    second = alices_caller.get(f"{path}?limit=2&action=rule.added&cursor={first['next']}").json()

    assert [row["thing"] for row in first["items"] + second["items"]] == ["a3", "a2", "a1", "a0"]
    assert second["next"] is None
    entry = first["items"][0]
    assert entry["actor"].startswith("token:")
    assert entry["address"] == "192.0.2.1"
    assert created.realm.owner.email in entry["actor_name"]


def test_changes_are_chosen(alices_caller: Caller, created: CreatedRealm, path: str):
    alices_caller.post(f"realms/{created.realm.pk}/keys", {})
    AuditEntry.objects.filter(action="realm.created").update(at=timezone.now() + timedelta(days=1))
    tomorrow = (timezone.now() + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def actions(query: str) -> list[str]:
        return [row["action"] for row in alices_caller.get(f"{path}?{query}").json()["items"]]

    assert actions(f"since={tomorrow}") == ["realm.created"]
    assert actions(f"until={tomorrow}") == ["key.issued"]
    assert actions("actor=system") == []
    assert alices_caller.get(f"{path}?action=key.eaten").json()["field"] == "action"


def test_the_log_is_for_admins(bob: User, created: CreatedRealm, path: str):
    member = Member.objects.create(realm=created.realm, user=bob, role="developer")
    assert caller_for(bob).get(path).json()["code"] == "role_too_low"
    Member.objects.filter(pk=member.pk).update(role="admin")
    assert caller_for(bob).get(path).status_code == 200


def test_a_key_is_named(created: CreatedRealm):
    key = Caller(f"Bearer {created.secret}")
    key.post(f"realms/{created.realm.pk}/revocations/users", {"user": "42"})

    row = AuditEntry.objects.latest("pk")
    assert (row.actor, row.actor_name) == (f"key:{created.key.pk}", f"key …{created.key.hint}")
