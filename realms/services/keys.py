"""Changes to a realm's keys. Each tells every edge, once it is committed."""

import base64
import secrets
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.errors import KeyLimitReached, KeyNotFound, LastKey
from realms.models import ApiKey, Realm
from realms.sealing import open_sealed, seal
from realms.services.labels import clean_label
from realms.services.locking import lock_realm

#: More than anybody rotates at once; each costs an attempt when a request's credential is checked.
MAX_LIVE_KEYS_PER_REALM = 10
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key and its secret as Base64 text."""

    key: ApiKey
    secret: str = field(repr=False)


@transaction.atomic
def issue_api_key(*, realm: Realm, issued_by: User | None, label: str = "") -> IssuedKey:
    """Add a key to the realm. Those that it has stay live, so that customers can rotate without a gap.

    Raises:
        KeyLimitReached: the realm has `MAX_LIVE_KEYS_PER_REALM` live keys.
        InvalidLabel: `label` is too long or holds a control character.
    """
    label = clean_label(label)
    lock_realm(realm)  # two requests must not both see room for one more key
    if ApiKey.objects.live(realm).count() >= MAX_LIVE_KEYS_PER_REALM:
        raise KeyLimitReached(MAX_LIVE_KEYS_PER_REALM)
    issued = store_new_key(realm=realm, issued_by=issued_by, label=label)
    note(realm, Action.KEY_ISSUED, _thing(issued.key), by=issued_by)
    announce_change(realm)
    return issued


@transaction.atomic
def revoke_api_key(*, realm: Realm, key_id: int) -> None:
    """Make a key useless, for good.

    Raises:
        KeyNotFound: the realm has no such live key.
        LastKey: it has no other.
    """
    lock_realm(realm)  # two requests must not each see the other's key as the one that remains
    live = list(ApiKey.objects.live(realm))
    key = next((key for key in live if key.pk == key_id), None)
    if key is None:
        raise KeyNotFound
    if len(live) == 1:
        raise LastKey
    key.revoked_at = timezone.now()
    key.save(update_fields=["revoked_at"])
    note(realm, Action.KEY_REVOKED, _thing(key))
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


def store_new_key(*, realm: Realm, issued_by: User | None, label: str) -> IssuedKey:
    """Add a key, whatever there is already; for callers that have checked and will announce."""
    secret = secrets.token_bytes(SECRET_BYTES)
    text = base64.b64encode(secret).decode("ascii")
    key = ApiKey.objects.create(
        realm=realm, sealed_secret=seal(secret), hint=text[-4:], label=label, created_by=issued_by
    )
    return IssuedKey(key=key, secret=text)


def _thing(key: ApiKey) -> str:
    return f"key …{key.hint} {key.label}".rstrip()
