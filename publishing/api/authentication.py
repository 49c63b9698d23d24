"""Who calls the management API: an API token, a realm's key, or the dashboard's session with its CSRF token."""

import time
from typing import Any, cast

from django.apps import apps
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from fanoutcloud.core.errors import FanoutError, Unauthorized
from fanoutcloud.core.names import find_realm_id
from publishing.authentication import check_credential, hint_of, read_credential
from realms.actors import Actor
from realms.api_token_text import PREFIX, digest_of, is_token_text
from realms.apps import RealmsConfig
from realms.models import ApiToken
from realms.roles import Role
from realms.scopes import KEY_SCOPES, Scope
from realms.selectors import find_api_token
from realms.services.api_tokens import note_use
from realms.snapshots import find_snapshot

Found = tuple[Any, Actor]
MAX_HEADER_BYTES = 8192


class CredentialAuthentication(BaseAuthentication):
    """`Authorization: Bearer fan_…`, or a realm's key as Basic, plain bearer or signed token."""

    def authenticate(self, request: Request) -> Found | None:
        """Return who calls, or None where no Authorization header came.

        Raises:
            Unauthorized: the credential does not hold.
            LimitReached: too many from this address did not.
        """
        header = get_authorization_header(request)
        if not header.strip():
            return None
        return authenticate_header_text(
            header, request.META.get("REMOTE_ADDR", ""), realm_in_path=_realm_in_path(request)
        )

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 asks for."""
        return "Bearer"


def authenticate_header_text(header: bytes, address: str, *, realm_in_path: str) -> Found:
    """Return who calls from `address` with this value of `Authorization`; failures from there are counted.

    Raises:
        Unauthorized: the credential does not hold.
        LimitReached: too many from this address did not.
    """
    failures = cast(RealmsConfig, apps.get_app_config("realms")).failures
    failures.check(address, "")
    try:
        return _authenticate(header, address, realm_in_path=realm_in_path)
    except FanoutError:
        failures.note(address, "")
        raise


class DashboardAuthentication(SessionAuthentication):
    """The session of somebody who is signed in to the dashboard; changes need the page's CSRF token."""

    def authenticate(self, request: Request) -> Found | None:
        """Return who is signed in, or None."""
        found = super().authenticate(request)
        return None if found is None else (found[0], Actor.of_person(found[0]))


def _realm_in_path(request: Request) -> str:
    kwargs = (request.parser_context or {}).get("kwargs", {})
    return str(kwargs.get("realm_id", ""))


def _authenticate(header: bytes, address: str, *, realm_in_path: str) -> Found:
    scheme, _, value = header.strip().partition(b" ")
    token = value.strip().decode("latin-1")
    if scheme.lower() == b"bearer" and token.startswith(PREFIX) and len(header) <= MAX_HEADER_BYTES:
        return _authenticate_token(token, address)
    return AnonymousUser(), _authenticate_key(header, realm_in_path)


def _authenticate_key(header: bytes, realm_in_path: str) -> Actor:
    """Return the actor of a realm's key. A plain bearer names no realm: the path's is meant."""
    credential = read_credential(header)
    realm_id = find_realm_id(credential.named_realm or realm_in_path)
    snapshot = None if realm_id is None else find_snapshot(realm_id)
    if snapshot is None:
        raise Unauthorized(
            "wrong_key",
            "the credential is no API token, and no key of a realm",
            cure="send Authorization: Bearer and an API token, or -u REALM:KEY",
        )
    key, _ = check_credential(snapshot, credential, time.time())
    return Actor(
        id=f"key:{key.key_id}",
        name=f"key {hint_of(key)}",
        scopes=KEY_SCOPES,
        realm_id=snapshot.realm,
        role=Role.DEVELOPER,
    )


def _authenticate_token(text: str, address: str) -> Found:
    token = find_api_token(digest_of(text)) if is_token_text(text) else None
    if token is None:
        raise Unauthorized(
            "bad_token", "there is no such API token", cure="it may have been revoked, or was not copied whole"
        )
    if token.is_expired(timezone.now()):
        raise Unauthorized("token_expired", "the API token's time is over", cure="issue another")
    if token.user is not None and not token.user.is_active:
        raise Unauthorized("bad_token", "the API token's holder may not sign in", cure="ask the operator")
    note_use(token, address=address)
    return token.user or AnonymousUser(), _actor_of(token)


def _actor_of(token: ApiToken) -> Actor:
    scopes = frozenset(scope for scope in Scope if scope.value in token.scopes)
    name = f"API token {token.label or token.prefix}"
    if token.user is not None:
        return Actor(id=f"token:{token.pk}", name=name, scopes=scopes, user=token.user)
    return Actor(id=f"token:{token.pk}", name=name, scopes=scopes, realm_id=token.realm_id, role=Role.ADMIN)
