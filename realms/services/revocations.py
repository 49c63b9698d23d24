"""Taking tokens back before they expire. Each revocation tells every edge, once it is committed."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from fanoutcloud.core.claims import MAX_TOKEN_ID_CHARACTERS, MAX_USER_CHARACTERS, is_text
from fanoutcloud.core.tokens import CLOCK_SKEW_S, MAX_LIFETIME_S
from realms.announcements import announce_change
from realms.audit import Action, note
from realms.errors import InvalidRevocation, RevocationLimitReached, RevocationNotFound
from realms.models import Realm, Revocation
from realms.services.locking import lock_realm

#: All are in the snapshot that every edge keeps of the realm: about 100 bytes each.
MAX_REVOCATIONS_PER_REALM = 10_000
#: When the last token that was issued before now has expired.
LONGEST = timedelta(seconds=MAX_LIFETIME_S + 2 * CLOCK_SKEW_S)


def revoke_token(*, realm: Realm, token_id: str, expires_at: datetime | None = None) -> Revocation:
    """Take back the tokens with this `jti`: they open nothing any more, and connections that came by them end.

    `expires_at` is the token's `exp`, if it is known: the revocation is forgotten then instead of after 31 days.

    Raises:
        InvalidRevocation: no token can have this id, or it has expired.
        RevocationLimitReached: the realm has `MAX_REVOCATIONS_PER_REALM`.
    """
    if not is_text(token_id, MAX_TOKEN_ID_CHARACTERS):
        raise InvalidRevocation("no token has this id", cure="use the jti of a token", field="token_id")
    now = timezone.now()
    if expires_at is not None and expires_at + timedelta(seconds=CLOCK_SKEW_S) <= now:
        raise InvalidRevocation("the token has expired by itself", cure="nothing is to be done", field="expires_at")
    until = (
        now + LONGEST if expires_at is None else min(expires_at + timedelta(seconds=2 * CLOCK_SKEW_S), now + LONGEST)
    )
    return _revoke(realm, Revocation.Kind.TOKEN, token_id, now, until)


def revoke_user(*, realm: Realm, user: str) -> Revocation:
    """Take back all tokens of a user that were issued until now. Those issued later hold: the user can sign in again.

    Raises:
        InvalidRevocation: no token can be of this user.
        RevocationLimitReached: the realm has `MAX_REVOCATIONS_PER_REALM`.
    """
    if not is_text(user, MAX_USER_CHARACTERS):
        raise InvalidRevocation("no token is of this user", cure="use the sub of tokens", field="user")
    now = timezone.now()
    return _revoke(realm, Revocation.Kind.USER, user, now, now + LONGEST)


@transaction.atomic
def _revoke(realm: Realm, kind: Revocation.Kind, name: str, now: datetime, until: datetime) -> Revocation:
    lock_realm(realm)
    row = Revocation.objects.filter(realm=realm, kind=kind, name=name).first()
    if row is None:
        if Revocation.objects.effective(realm, now).count() >= MAX_REVOCATIONS_PER_REALM:
            raise RevocationLimitReached(MAX_REVOCATIONS_PER_REALM)
        row = Revocation.objects.create(realm=realm, kind=kind, name=name, revoked_at=now, expires_at=until)
    else:
        row.revoked_at, row.expires_at = now, max(row.expires_at, until)
        row.save(update_fields=["revoked_at", "expires_at"])
    note(realm, Action.REVOCATION_ADDED, str(row))
    announce_change(realm)
    return row


@transaction.atomic
def withdraw_revocation(*, realm: Realm, revocation_id: int) -> None:
    """Let the tokens hold again, those that have not expired.

    Raises:
        RevocationNotFound: the realm has no such revocation.
    """
    row = Revocation.objects.select_for_update().filter(realm=realm, pk=revocation_id).first()
    if row is None:
        raise RevocationNotFound
    row.delete()
    note(realm, Action.REVOCATION_WITHDRAWN, str(row))
    announce_change(realm)


def forget_expired_revocations() -> int:
    """Delete revocations of tokens that have expired by themselves; return how many."""
    return Revocation.objects.over(timezone.now()).delete()[0]
