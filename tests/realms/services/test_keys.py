"""Keys of realms: issued, shown, revoked, never the last."""

import base64

import pytest

from accounts.models import User
from realms.errors import (
    KeyLimitReached,
    KeyNotFound,
    LastKey,
)
from realms.models import ApiKey
from realms.selectors import list_live_keys
from realms.services import (
    CreatedRealm,
    issue_api_key,
    keys,
    reveal_api_key,
    revoke_api_key,
)
from tests.factories import make_realm


def test_a_secret_is_not_stored_in_the_clear_and_can_be_shown_again(created: CreatedRealm):
    key = ApiKey.objects.get(pk=created.key.pk)

    assert created.secret not in key.sealed_secret
    assert base64.b64decode(created.secret) not in key.sealed_secret.encode()
    assert reveal_api_key(realm=created.realm, key_id=key.pk) == created.secret


def test_a_secret_is_not_in_the_repr_of_what_services_return(created: CreatedRealm, alice: User):
    issued = issue_api_key(realm=created.realm, issued_by=alice)

    assert created.secret not in repr(created)
    assert issued.secret not in repr(issued)


def test_a_realm_has_no_more_live_keys_than_the_limit(created: CreatedRealm, alice: User):
    for _ in range(keys.MAX_LIVE_KEYS_PER_REALM - 1):
        issue_api_key(realm=created.realm, issued_by=alice)

    with pytest.raises(KeyLimitReached) as refusal:
        issue_api_key(realm=created.realm, issued_by=alice)

    assert refusal.value.cure
    revoke_api_key(realm=created.realm, key_id=created.key.pk)
    assert issue_api_key(realm=created.realm, issued_by=alice)


def test_rotation_has_no_gap(created: CreatedRealm, alice: User):
    issued = issue_api_key(realm=created.realm, issued_by=alice, label="second")
    assert [key.pk for key in list_live_keys(created.realm)] == [created.key.pk, issued.key.pk]

    revoke_api_key(realm=created.realm, key_id=created.key.pk)

    assert [key.pk for key in list_live_keys(created.realm)] == [issued.key.pk]


def test_the_last_live_key_is_not_revoked(created: CreatedRealm):
    with pytest.raises(LastKey):
        revoke_api_key(realm=created.realm, key_id=created.key.pk)

    assert list_live_keys(created.realm).count() == 1


def test_a_revoked_key_is_neither_shown_nor_revoked_again(created: CreatedRealm, alice: User):
    issue_api_key(realm=created.realm, issued_by=alice)
    revoke_api_key(realm=created.realm, key_id=created.key.pk)

    with pytest.raises(KeyNotFound):
        reveal_api_key(realm=created.realm, key_id=created.key.pk)
    with pytest.raises(KeyNotFound):
        revoke_api_key(realm=created.realm, key_id=created.key.pk)


def test_a_key_of_another_realm_is_not_found(created: CreatedRealm, charlie: User):
    foreign = make_realm(charlie)
    issue_api_key(realm=foreign.realm, issued_by=charlie)

    with pytest.raises(KeyNotFound):
        reveal_api_key(realm=foreign.realm, key_id=created.key.pk)
    with pytest.raises(KeyNotFound):
        revoke_api_key(realm=foreign.realm, key_id=created.key.pk)
    assert list_live_keys(created.realm).count() == 1
