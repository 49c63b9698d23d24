"""Letting a program in by a code: it asks, a person says yes on a page, it gets a personal API token, once.

After the device grant of OAuth (RFC 8628), without the rest of OAuth. The short code is worth something only to those
who may sign in here, for ten minutes, and only so many can be tried; the long secret never leaves the program.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from realms.actors import Actor
from realms.api_token_text import digest_of
from realms.errors import (
    DeviceLoginDenied,
    DeviceLoginNotFound,
    DeviceLoginPending,
    DeviceLoginTooFast,
    TooManyDeviceLogins,
)
from realms.models import DeviceLogin
from realms.scopes import Scope
from realms.selectors import get_device_login
from realms.services.api_tokens import IssuedToken, issue_api_token
from realms.services.labels import clean_label

LIFE = timedelta(minutes=10)
ASK_EVERY = timedelta(seconds=2)
TOKEN_LIFE = timedelta(days=90)
#: Requests that wait, from one address and in all: the table must not be filled by strangers.
MAX_OPEN_PER_ADDRESS = 20
MAX_OPEN = 10_000
#: No vowels, so that no words come out, and nothing that looks like something else (RFC 8628 §6.1).
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_CHARACTERS = 8
#: What a program is asked for where it names nothing: what `fanout` does.
DEFAULT_SCOPES = (
    Scope.REALMS_READ,
    Scope.ITEMS_PUBLISH,
    Scope.ITEMS_READ,
    Scope.CONNECTIONS_READ,
    Scope.RULES_READ,
    Scope.ACCESS_READ,
    Scope.ACCESS_ISSUE,
    Scope.USAGE_READ,
    Scope.WEBHOOKS_READ,
    Scope.WEBHOOKS_WRITE,  # `fanout listen` opens an endpoint while it runs
)


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """A request that waits, and the secret by which its program asks for the answer."""

    login: DeviceLogin
    secret: str = field(repr=False)


@transaction.atomic
def begin_device_login(*, label: str, scopes: Iterable[Scope], address: str) -> BegunLogin:
    """Let a program wait for somebody to say yes. Requests that are over are forgotten on the way.

    Raises:
        InvalidLabel: the program's name is too long or holds a control character.
        TooManyDeviceLogins: too many wait already, in all or from this address.
    """
    now = timezone.now()
    DeviceLogin.objects.filter(expires_at__lte=now).delete()
    from_here = DeviceLogin.objects.filter(address=address or None)
    if from_here.count() >= MAX_OPEN_PER_ADDRESS or DeviceLogin.objects.count() >= MAX_OPEN:
        raise TooManyDeviceLogins(retry_after_s=int(LIFE.total_seconds()))
    secret = secrets.token_urlsafe(32)
    login = DeviceLogin.objects.create(
        digest=digest_of(secret),
        user_code="".join(secrets.choice(LETTERS) for _ in range(CODE_CHARACTERS)),
        label=clean_label(label),
        scopes=sorted(frozenset(scopes) or DEFAULT_SCOPES),
        address=address or None,
        expires_at=now + LIFE,
    )
    return BegunLogin(login, secret)


def decide_device_login(*, code: str, user: User, approve: bool) -> DeviceLogin:
    """Say yes or no to the program that shows `code`, once; a second answer finds nothing.

    Raises:
        DeviceLoginNotFound: nobody waits with this code any more.
    """
    login = get_device_login(code)
    undecided = DeviceLogin.objects.filter(pk=login.pk, approved_by__isnull=True, is_denied=False)
    if not undecided.update(approved_by=user if approve else None, is_denied=not approve):
        raise DeviceLoginNotFound
    login.refresh_from_db()
    return login


def claim_device_login(secret: str) -> IssuedToken:
    """Return the token that somebody has let the program have. It is made now, and cannot be claimed again.

    Raises:
        DeviceLoginPending: nobody has said yes or no.
        DeviceLoginTooFast: the program asks more often than `ASK_EVERY`.
        DeviceLoginDenied: somebody has said no.
        DeviceLoginNotFound: there is no such request, or it is over.
        ApiTokenLimitReached: the person has as many tokens as they may.
    """
    login = _open_logins().filter(digest=digest_of(secret)).first()
    if login is None:
        raise DeviceLoginNotFound
    _note_asking(login)
    return _settle(login.pk)


@transaction.atomic
def _settle(login_id: int) -> IssuedToken:
    login = _open_logins().select_for_update(of=("self",)).select_related("approved_by").filter(pk=login_id).first()
    if login is None:
        raise DeviceLoginNotFound
    if login.is_denied:
        raise DeviceLoginDenied
    if login.approved_by is None:
        raise DeviceLoginPending
    if not login.approved_by.is_active:
        raise DeviceLoginDenied
    login.delete()
    return issue_api_token(
        issued_by=Actor.of_person(login.approved_by),
        scopes=[scope for scope in Scope if scope.value in login.scopes],
        label=login.label,
        expires_at=timezone.now() + TOKEN_LIFE,
    )


def _note_asking(login: DeviceLogin) -> None:
    now = timezone.now()
    is_due = Q(asked_at__isnull=True) | Q(asked_at__lte=now - ASK_EVERY / 2)  # clocks and networks are not exact
    if not DeviceLogin.objects.filter(is_due, pk=login.pk).update(asked_at=now):
        raise DeviceLoginTooFast(int(ASK_EVERY.total_seconds()))


def _open_logins() -> QuerySet[DeviceLogin]:
    return DeviceLogin.objects.filter(expires_at__gt=timezone.now())
