"""Changes to API tokens."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from realms.actors import Actor
from realms.api_token_text import SHOWN_CHARACTERS, digest_of, is_token_text, new_token_text
from realms.audit import Action, note
from realms.errors import ApiTokenLimitReached, ApiTokenNotFound, BadExpiry, ScopesExceeded
from realms.models import ApiToken, Realm
from realms.scopes import Scope
from realms.services.labels import clean_label
from realms.services.locking import lock_realm

MAX_TOKENS_PER_HOLDER = 50
LONGEST_LIFE = timedelta(days=3650)
#: The last use is stored no more often than this, so that a busy token costs no write per request.
USE_NOTED_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its text, which nothing can show again."""

    token: ApiToken
    text: str = field(repr=False)


@transaction.atomic
def issue_api_token(
    *,
    issued_by: Actor,
    scopes: Iterable[Scope],
    realm: Realm | None = None,
    label: str = "",
    expires_at: datetime | None = None,
) -> IssuedToken:
    """Issue a token of `realm`, or, without, of the person who asks. The caller has checked that they may.

    Raises:
        ScopesExceeded: it would open what `issued_by` does not.
        BadExpiry: it would be over already, or hold too long.
        ApiTokenLimitReached: the holder has `MAX_TOKENS_PER_HOLDER` tokens.
        InvalidLabel: `label` is too long or holds a control character.
    """
    label, chosen = clean_label(label), frozenset(scopes)
    if missing := chosen - issued_by.scopes:
        raise ScopesExceeded(sorted(missing))
    _check_expiry(expires_at)
    _lock_holder(issued_by, realm)
    text = new_token_text(is_realms=realm is not None)
    token = ApiToken.objects.create(
        user=None if realm is not None else issued_by.user,
        realm=realm,
        label=label,
        prefix=text[:SHOWN_CHARACTERS],
        digest=digest_of(text),
        scopes=sorted(chosen),
        created_by=issued_by.user,
        expires_at=expires_at,
    )
    if realm is not None:
        note(realm, Action.TOKEN_ISSUED, _thing(token), by=issued_by.user)
    return IssuedToken(token=token, text=text)


@transaction.atomic
def revoke_realm_token(*, realm: Realm, token_id: int) -> None:
    """Make a token of the realm useless, for good.

    Raises:
        ApiTokenNotFound: the realm has no such token.
    """
    token = ApiToken.objects.select_for_update().filter(realm=realm, pk=token_id).first()
    if token is None:
        raise ApiTokenNotFound
    token.delete()
    note(realm, Action.TOKEN_REVOKED, _thing(token))


def revoke_personal_token(*, user: User, token_id: int) -> None:
    """Make a token of the person useless, for good.

    Raises:
        ApiTokenNotFound: the person has no such token.
    """
    if not ApiToken.objects.filter(user=user, pk=token_id).delete()[0]:
        raise ApiTokenNotFound


def give_back_token(text: str) -> bool:
    """Make a person's token useless for whoever has it; return whether there was one."""
    if not is_token_text(text):
        return False
    return bool(ApiToken.objects.filter(digest=digest_of(text), user__isnull=False).delete()[0])


def note_use(token: ApiToken, *, address: str) -> None:
    """Store when and from where the token was used, at most once in `USE_NOTED_EVERY`."""
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USE_NOTED_EVERY:
        return
    is_due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
    ApiToken.objects.filter(is_due, pk=token.pk).update(last_used_at=now, last_used_from=address or None)


def _thing(token: ApiToken) -> str:
    return f"API token {token.prefix}… {token.label}".rstrip()


def _lock_holder(issued_by: Actor, realm: Realm | None) -> None:
    """Wait for others who issue tokens of the same holder, and see that there is room for one more."""
    if realm is not None:
        lock_realm(realm)
        holder = Q(realm=realm)
    else:
        if issued_by.user is None:
            raise AssertionError("only a person has personal tokens")
        User.objects.select_for_update().get(pk=issued_by.user.pk)
        holder = Q(user=issued_by.user)
    if ApiToken.objects.filter(holder).count() >= MAX_TOKENS_PER_HOLDER:
        raise ApiTokenLimitReached(MAX_TOKENS_PER_HOLDER)


def _check_expiry(expires_at: datetime | None) -> None:
    now = timezone.now()
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        raise BadExpiry
