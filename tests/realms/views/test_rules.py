"""The page of channel rules: list, add, change, remove, dry run; nobody else's."""

import pytest
from django.test import Client

from accounts.models import User
from realms.models import Member, RealmRule
from realms.rule_settings import RuleSettings
from realms.services import CreatedRealm, add_rule
from tests.factories import make_realm


@pytest.fixture
def page(created: CreatedRealm) -> str:
    return f"/realms/{created.realm.pk}/rules/"


def test_an_empty_list_says_what_holds(alice_client: Client, page: str) -> None:
    assert b"No rules yet" in alice_client.get(page).content


def test_a_rule_is_added_and_shown(alice_client: Client, page: str, created: CreatedRealm) -> None:
    answer = alice_client.post(
        f"{page}add/",
        {
            "pattern": "orders.*",
            "access": "token",
            "history_items": "50",
            "history_age_s": "",
            "presence": "on",
            "webhook_events": ["occupied", "vacated"],
        },
        follow=True,
    )

    assert b"orders.*" in answer.content
    assert b"by token" in answer.content
    row = RealmRule.objects.get(realm=created.realm)
    assert row.document == {
        "access": "token",
        "history_items": 50,
        "presence": True,
        "webhook_events": ["occupied", "vacated"],
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pattern": "", "access": "token"}, "Name a channel"),
        ({"pattern": "a*b", "access": "token"}, "at its end"),
        ({"pattern": "a", "access": "nobody"}, "nobody"),
        ({"pattern": "a", "access": "token", "history_items": "many"}, "whole number"),
        ({"pattern": "a", "access": "token", "history_items": "10001"}, "10,000"),
        ({"pattern": "a", "access": "public", "join_leave": "on"}, "Set presence"),
        ({"pattern": "taken", "access": "public"}, "already"),
    ],
)
def test_a_wrong_rule_is_told_and_not_stored(
    alice_client: Client, page: str, created: CreatedRealm, fields: dict[str, str], words: str
) -> None:
    add_rule(realm=created.realm, pattern="taken", settings=RuleSettings())

    answer = alice_client.post(f"{page}add/", fields)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert RealmRule.objects.count() == 1


def test_a_rule_is_changed(alice_client: Client, page: str, created: CreatedRealm) -> None:
    row = add_rule(realm=created.realm, pattern="a", settings=RuleSettings(access="token", history_items=5))
    form = alice_client.get(f"{page}?edit={row.pk}")
    assert b'value="5"' in form.content

    alice_client.post(f"{page}{row.pk}/change/", {"pattern": "b", "access": "public"})

    row.refresh_from_db()
    assert (row.pattern, row.document) == ("b", {})


def test_a_rule_is_removed(alice_client: Client, page: str, created: CreatedRealm) -> None:
    row = add_rule(realm=created.realm, pattern="a", settings=RuleSettings())

    assert alice_client.post(f"{page}{row.pk}/remove/", follow=True).status_code == 200
    assert alice_client.post(f"{page}{row.pk}/remove/").status_code == 404
    assert not RealmRule.objects.exists()


def test_the_dry_run_names_the_rule(alice_client: Client, page: str, created: CreatedRealm) -> None:
    add_rule(realm=created.realm, pattern="orders.*", settings=RuleSettings(access="token"))

    ruled = alice_client.get(f"{page}?channel=orders.7").content.decode()
    public = alice_client.get(f"{page}?channel=hello").content.decode()
    wrong = alice_client.get(f"{page}?channel=a%0Ab").content.decode()

    assert "Subscribers need a token" in ruled
    assert "No rule" in public
    assert "control character" in wrong


def test_nobody_else_sees_or_changes_them(
    charlie_client: Client, page: str, created: CreatedRealm, client: Client
) -> None:
    row = add_rule(realm=created.realm, pattern="a", settings=RuleSettings())

    assert charlie_client.get(page).status_code == 404
    for path in (f"{page}add/", f"{page}{row.pk}/change/", f"{page}{row.pk}/remove/"):
        assert charlie_client.post(path, {"pattern": "b", "access": "public"}).status_code == 404
        assert client.post(path).status_code == 302
    assert RealmRule.objects.get().pattern == "a"


def test_another_realms_rule_is_not_reached_through_ones_own(
    charlie: User, charlie_client: Client, created: CreatedRealm
) -> None:
    own = make_realm(charlie).realm.pk
    row = add_rule(realm=created.realm, pattern="a", settings=RuleSettings())

    assert charlie_client.get(f"/realms/{own}/rules/?edit={row.pk}").status_code == 404
    for what in ("change", "remove"):
        answer = charlie_client.post(f"/realms/{own}/rules/{row.pk}/{what}/", {"pattern": "b", "access": "public"})
        assert answer.status_code == 404
    assert RealmRule.objects.get().pattern == "a"


def test_a_viewer_looks_and_changes_nothing(created: CreatedRealm, bob: User, page: str) -> None:
    Member.objects.create(realm=created.realm, user=bob, role="viewer")
    row = add_rule(realm=created.realm, pattern="a", settings=RuleSettings())
    client = Client()
    client.force_login(bob)

    shown = client.get(page)

    assert shown.status_code == 200
    assert b"Add a rule" not in shown.content
    for path in (f"{page}add/", f"{page}{row.pk}/change/", f"{page}{row.pk}/remove/"):
        assert client.post(path, {"pattern": "b", "access": "public"}).status_code == 403
