"""The page of the audit log."""

import pytest
from django.test import Client

from accounts.models import User
from realms.audit import Action, note
from realms.models import Member
from realms.services import CreatedRealm


@pytest.fixture
def path(created: CreatedRealm) -> str:
    return f"/realms/{created.realm.pk}/audit/"


def test_changes_are_shown_newest_first_and_in_pages(alice_client: Client, created: CreatedRealm, path: str):
    for number in range(60):
        note(created.realm, Action.RULE_ADDED, f"<a{number}>")

    first = alice_client.get(path)
    older = alice_client.get(f"{path}?before={first.context['older']}&action=rule.added")

    assert [entry.thing for entry in first.context["entries"]][:2] == ["<a59>", "<a58>"]
    assert "&lt;a59&gt;" in first.content.decode()
    assert [entry.thing for entry in older.context["entries"]] == [f"<a{number}>" for number in range(9, -1, -1)]
    assert older.context["older"] is None


@pytest.mark.parametrize("query", ["?before=x", "?before=99999999999999999999", "?before=-1", "?action=none"])
def test_a_strange_query_shows_all(alice_client: Client, path: str, query: str):
    answer = alice_client.get(path + query)

    assert [entry.action for entry in answer.context["entries"]] == ["realm.created"]


def test_the_page_is_for_admins_of_the_realm(client: Client, created: CreatedRealm, bob: User, path: str):
    client.force_login(bob)
    assert client.get(path).status_code == 404
    member = Member.objects.create(realm=created.realm, user=bob, role="developer")
    assert client.get(path).status_code == 403
    Member.objects.filter(pk=member.pk).update(role="admin")
    assert client.get(path).status_code == 200
