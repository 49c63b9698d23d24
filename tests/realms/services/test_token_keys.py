"""Public keys of a customer: pasted, seen by the delivery plane, removed, never another realm's."""

import json

import pytest

from accounts.models import User
from fanoutcloud.core.directory import PublicKey
from fanoutcloud.core.names import RealmId
from realms.errors import InvalidLabel, InvalidTokenKeys, TokenKeyLimitReached, TokenKeysNotFound
from realms.models import Realm, TokenKeySet
from realms.services import CreatedRealm, add_token_keys, remove_token_keys, token_keys
from realms.snapshots import find_snapshot
from tests.core.signed import public_jwk
from tests.factories import make_realm

JWKS = json.dumps({"keys": [public_jwk("RS256", kid="r"), public_jwk("EdDSA")]})


def seen(realm: Realm) -> tuple[PublicKey, ...]:
    snapshot = find_snapshot(RealmId(realm.pk))
    assert snapshot is not None
    return snapshot.public_keys


def test_pasted_keys_reach_the_delivery_plane(created: CreatedRealm, charlie: User) -> None:
    row = add_token_keys(realm=created.realm, document=JWKS, label="our login", issuer=" https://idp.example/ ")

    assert [(key.key_id, key.kid, key.issuer) for key in seen(created.realm)] == [
        (f"p{row.pk}:r", "r", "https://idp.example/"),
        (f"p{row.pk}:EdDSA", None, "https://idp.example/"),
    ]
    assert seen(make_realm(charlie).realm) == ()


def test_keys_are_removed_by_their_own_realm(created: CreatedRealm, charlie: User) -> None:
    row = add_token_keys(realm=created.realm, document=JWKS)

    with pytest.raises(TokenKeysNotFound):
        remove_token_keys(realm=make_realm(charlie).realm, key_set_id=row.pk)
    remove_token_keys(realm=created.realm, key_set_id=row.pk)

    assert seen(created.realm) == ()


@pytest.mark.parametrize("document", ["", "{", '{"keys":[]}', '{"kty":"oct","k":"AAAA"}'])
def test_what_is_no_public_key_is_refused(created: CreatedRealm, document: str) -> None:
    with pytest.raises(InvalidTokenKeys):
        add_token_keys(realm=created.realm, document=document)

    assert not TokenKeySet.objects.exists()


def test_label_and_issuer_are_looked_at(created: CreatedRealm) -> None:
    with pytest.raises(InvalidLabel):
        add_token_keys(realm=created.realm, document=JWKS, label="x" * 100)
    for issuer in ("x" * 600, "a\nb"):
        with pytest.raises(InvalidTokenKeys):
            add_token_keys(realm=created.realm, document=JWKS, issuer=issuer)


def test_there_are_limits(created: CreatedRealm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_keys, "MAX_PUBLIC_KEYS", 3)
    add_token_keys(realm=created.realm, document=JWKS)
    with pytest.raises(TokenKeyLimitReached):
        add_token_keys(realm=created.realm, document=JWKS)

    monkeypatch.setattr(token_keys, "MAX_PUBLIC_KEYS", 20)
    monkeypatch.setattr(token_keys, "MAX_KEY_SETS_PER_REALM", 1)
    with pytest.raises(TokenKeyLimitReached):
        add_token_keys(realm=created.realm, document=JWKS)


def test_keys_that_can_not_be_read_any_more_are_left_out(created: CreatedRealm) -> None:
    add_token_keys(realm=created.realm, document=JWKS)
    TokenKeySet.objects.create(realm=created.realm, document="{")

    assert len(seen(created.realm)) == 2
