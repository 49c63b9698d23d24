"""Revocations: stored until the tokens would have expired, seen by the delivery plane, never another realm's."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.revocations import NOTHING_REVOKED, Revocations
from realms.errors import InvalidRevocation, RevocationLimitReached, RevocationNotFound
from realms.models import Realm, Revocation
from realms.services import CreatedRealm, revocations, revoke_token, revoke_user, withdraw_revocation
from realms.snapshots import find_snapshot
from realms.tasks import forget_expired_revocations
from tests.factories import make_realm


def seen(realm: Realm) -> Revocations:
    snapshot = find_snapshot(RealmId(realm.pk))
    assert snapshot is not None
    return snapshot.revocations


def test_what_is_revoked_reaches_the_delivery_plane(created: CreatedRealm, charlie: User) -> None:
    foreign = make_realm(charlie)

    revoke_token(realm=created.realm, token_id="t1")
    row = revoke_user(realm=created.realm, user="alice")

    assert seen(created.realm) == Revocations(frozenset({"t1"}), {"alice": row.revoked_at.timestamp()})
    assert seen(foreign.realm) is NOTHING_REVOKED


def test_revoking_again_moves_the_moment_on(created: CreatedRealm) -> None:
    first = revoke_user(realm=created.realm, user="alice")
    second = revoke_user(realm=created.realm, user="alice")

    assert first.pk == second.pk
    assert seen(created.realm).users["alice"] == second.revoked_at.timestamp()
    assert second.revoked_at > first.revoked_at


def test_a_token_whose_end_is_known_is_forgotten_then(created: CreatedRealm) -> None:
    soon = timezone.now() + timedelta(minutes=5)
    known = revoke_token(realm=created.realm, token_id="t1", expires_at=soon)
    unknown = revoke_token(realm=created.realm, token_id="t2")

    assert timedelta(minutes=5) < known.expires_at - timezone.now() < timedelta(minutes=10)
    assert unknown.expires_at - timezone.now() > timedelta(days=31)


def test_what_is_over_is_neither_seen_nor_kept(created: CreatedRealm) -> None:
    revoke_token(realm=created.realm, token_id="t1")
    kept = revoke_token(realm=created.realm, token_id="t2")
    Revocation.objects.filter(name="t1").update(expires_at=timezone.now())

    assert seen(created.realm).tokens == {"t2"}
    forget_expired_revocations()

    assert [row.pk for row in Revocation.objects.all()] == [kept.pk]


def test_a_revocation_is_withdrawn_by_its_own_realm(created: CreatedRealm, charlie: User) -> None:
    row = revoke_token(realm=created.realm, token_id="t1")

    with pytest.raises(RevocationNotFound):
        withdraw_revocation(realm=make_realm(charlie).realm, revocation_id=row.pk)
    withdraw_revocation(realm=created.realm, revocation_id=row.pk)

    assert seen(created.realm) is NOTHING_REVOKED


@pytest.mark.parametrize("name", ["", "x" * 257, "a\nb", "\x00"])
def test_what_no_token_can_be_is_refused(created: CreatedRealm, name: str) -> None:
    with pytest.raises(InvalidRevocation) as token:
        revoke_token(realm=created.realm, token_id=name)
    with pytest.raises(InvalidRevocation) as user:
        revoke_user(realm=created.realm, user=name)

    assert (token.value.field, user.value.field) == ("token_id", "user")


def test_an_expired_token_needs_no_revocation(created: CreatedRealm) -> None:
    with pytest.raises(InvalidRevocation):
        revoke_token(realm=created.realm, token_id="t1", expires_at=timezone.now() - timedelta(minutes=2))


def test_there_is_a_limit(created: CreatedRealm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "MAX_REVOCATIONS_PER_REALM", 2)
    revoke_token(realm=created.realm, token_id="t1")
    revoke_user(realm=created.realm, user="alice")

    with pytest.raises(RevocationLimitReached):
        revoke_token(realm=created.realm, token_id="t2")
    revoke_token(realm=created.realm, token_id="t1")
