"""Setting a realm's limits: kept, known to delivery, and nobody else's."""

import io

import pytest
from django.core.management import CommandError, call_command

from fanoutcloud.core.names import RealmId
from realms.errors import InvalidRealmLimit
from realms.services import CreatedRealm, set_limits
from realms.snapshots import default_limits, find_snapshot
from tests.factories import make_realm, make_user

pytestmark = pytest.mark.django_db


def _connections(created: CreatedRealm) -> int | None:
    snapshot = find_snapshot(RealmId(created.realm.pk))
    assert snapshot is not None
    return snapshot.limits.connections


def test_a_realm_gets_limits_of_its_own_and_others_keep_theirs(created: CreatedRealm) -> None:
    other = make_realm(make_user("charlie@example.com"))

    set_limits(realm=created.realm, document={"connections": 7})

    assert _connections(created) == 7
    assert _connections(other) == default_limits().connections


def test_what_is_left_out_is_as_for_every_realm_again(created: CreatedRealm) -> None:
    set_limits(realm=created.realm, document={"connections": 7})

    set_limits(realm=created.realm, document={})

    assert _connections(created) == default_limits().connections


def test_a_wrong_limit_changes_nothing(created: CreatedRealm) -> None:
    set_limits(realm=created.realm, document={"connections": 7})

    with pytest.raises(InvalidRealmLimit):
        set_limits(realm=created.realm, document={"connections": 8, "channels": -1})

    assert _connections(created) == 7


def test_an_operator_sets_shows_and_takes_away_limits(created: CreatedRealm) -> None:
    out = io.StringIO()

    call_command("realm_limits", created.realm.pk, "connections=7", "item_bytes=0", stdout=out)
    call_command("realm_limits", created.realm.pk, "item_bytes=", stdout=out)
    call_command("realm_limits", created.realm.pk, stdout=out)

    assert out.getvalue().splitlines() == [
        '{"connections": 7, "item_bytes": 0}',
        '{"connections": 7}',
        '{"connections": 7}',
    ]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["connections"], "is no change"),
        (["connections=many"], "is no change"),
        (["connection=5"], "is no limit of a realm"),
    ],
)
def test_an_operator_is_told_what_is_wrong(created: CreatedRealm, words: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("realm_limits", created.realm.pk, *words)


def test_a_realm_that_is_not_there_has_no_limits() -> None:
    with pytest.raises(CommandError, match="there is no realm"):
        call_command("realm_limits", "00000000")
