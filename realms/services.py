"""Changes to realms and their keys. Each tells every edge, once it is committed."""

import base64
import secrets
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from realms.announcements import announce_change, announce_deletion
from realms.errors import InvalidLabel, KeyLimitReached, KeyNotFound, LastKey, RealmLimitReached
from realms.models import MAX_LABEL_CHARACTERS, ApiKey, Realm, new_realm_id
from realms.sealing import open_sealed, seal

MAX_REALMS_PER_USER = 100
#: More than anybody rotates at once; each costs an attempt when a request's credential is checked.
MAX_LIVE_KEYS_PER_REALM = 10
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its secret as Base64 text."""

    key: ApiKey
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CreatedRealm:
    """A new realm, its first key, and that key's secret as Base64 text."""

    realm: Realm
    key: ApiKey
    secret: str = field(repr=False)


@transaction.atomic
def create_realm(*, owner: User, label: str = "") -> CreatedRealm:
    """Create a realm of `owner`, with one key.

    Raises:
        RealmLimitReached: `owner` has `MAX_REALMS_PER_USER` realms.
        InvalidLabel: `label` is too long or holds a control character.
    """
    label = clean_label(label)
    User.objects.select_for_update().get(pk=owner.pk)  # two requests must not both see room for one realm
    if Realm.objects.filter(owner=owner).count() >= MAX_REALMS_PER_USER:
        raise RealmLimitReached(MAX_REALMS_PER_USER)
    realm = Realm.objects.create(id=_find_free_id(), owner=owner, label=label)
    issued = _store_new_key(realm=realm, issued_by=owner, label="")
    announce_change(realm)  # an edge may remember that there is no such realm
    return CreatedRealm(realm=realm, key=issued.key, secret=issued.secret)


@transaction.atomic
def label_realm(*, realm: Realm, label: str) -> None:
    """Change the realm's label; an empty one removes it.

    Raises:
        InvalidLabel: `label` is too long or holds a control character.
    """
    realm.label = clean_label(label)
    realm.save(update_fields=["label"])


@transaction.atomic
def delete_realm(*, realm: Realm) -> None:
    """Delete the realm with its keys; every edge closes its subscribers."""
    announce_deletion(realm)
    Realm.objects.filter(pk=realm.pk).delete()


@transaction.atomic
def issue_api_key(*, realm: Realm, issued_by: User, label: str = "") -> IssuedKey:
    """Add a key to the realm. Those that it has stay live, so that customers can rotate without a gap.

    Raises:
        KeyLimitReached: the realm has `MAX_LIVE_KEYS_PER_REALM` live keys.
        InvalidLabel: `label` is too long or holds a control character.
    """
    label = clean_label(label)
    _lock(realm)
    if ApiKey.objects.live(realm).count() >= MAX_LIVE_KEYS_PER_REALM:
        raise KeyLimitReached(MAX_LIVE_KEYS_PER_REALM)
    issued = _store_new_key(realm=realm, issued_by=issued_by, label=label)
    announce_change(realm)
    return issued


@transaction.atomic
def revoke_api_key(*, realm: Realm, key_id: int) -> None:
    """Make a key useless, for good.

    Raises:
        KeyNotFound: the realm has no such live key.
        LastKey: it has no other.
    """
    _lock(realm)
    live = list(ApiKey.objects.live(realm))
    key = next((key for key in live if key.pk == key_id), None)
    if key is None:
        raise KeyNotFound
    if len(live) == 1:
        raise LastKey
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    announce_change(realm)


def reveal_api_key(*, realm: Realm, key_id: int) -> str:
    """Return the secret of a live key as Base64 text, to be shown to whoever may manage the realm.

    Raises:
        KeyNotFound: the realm has no such live key.
        SealBroken: it was sealed with a key that is not listed any more.
    """
    key = ApiKey.objects.live(realm).filter(pk=key_id).first()
    if key is None:
        raise KeyNotFound
    return base64.b64encode(open_sealed(key.sealed_secret)).decode("ascii")


def clean_label(label: str) -> str:
    """Return `label` without the blanks around it.

    Raises:
        InvalidLabel: it is longer than `MAX_LABEL_CHARACTERS` or holds a character that can't be shown.
    """
    label = label.strip()
    if len(label) > MAX_LABEL_CHARACTERS:
        raise InvalidLabel(f"the label has {len(label)} characters; {MAX_LABEL_CHARACTERS} fit")
    if not label.isprintable():
        raise InvalidLabel("the label holds a control character")
    return label


def _lock(realm: Realm) -> None:
    # Two requests must not both see room for one more key, or each the other's key as the one that remains.
    Realm.objects.select_for_update().get(pk=realm.pk)


def _find_free_id() -> str:
    # A second try is rare, and losing the race between this look and the insert is an error, not harm.
    while Realm.objects.filter(pk=(realm_id := new_realm_id())).exists():
        pass
    return realm_id


def _store_new_key(*, realm: Realm, issued_by: User, label: str) -> IssuedKey:
    secret = secrets.token_bytes(SECRET_BYTES)
    text = base64.b64encode(secret).decode("ascii")
    key = ApiKey.objects.create(
        realm=realm, sealed_secret=seal(secret), hint=text[-4:], label=label, created_by=issued_by
    )
    return IssuedKey(key=key, secret=text)
