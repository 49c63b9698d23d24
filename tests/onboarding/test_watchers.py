"""Watching a realm with a credential."""

import base64

import pytest

from accounts.models import User
from onboarding.watchers import find_realm_by_credential
from realms.actors import Actor
from realms.scopes import Scope
from realms.services import CreatedRealm
from realms.services.api_tokens import issue_api_token
from tests.factories import make_realm

pytestmark = pytest.mark.django_db


def basic(created: CreatedRealm) -> bytes:
    return b"Basic " + base64.b64encode(f"{created.realm.pk}:{created.secret}".encode())


def bearer(user: User, *scopes: Scope) -> bytes:
    return f"Bearer {issue_api_token(issued_by=Actor.of_person(user), scopes=scopes).text}".encode()


def test_the_realms_key_and_its_owners_token_let_in(created: CreatedRealm, alice: User) -> None:
    for header in (basic(created), bearer(alice, Scope.CONNECTIONS_READ)):
        assert find_realm_by_credential(header, created.realm.pk, address="192.0.2.1") == created.realm


def test_nobody_elses_credential_does(created: CreatedRealm, charlie: User) -> None:
    for header in (basic(make_realm(charlie)), bearer(charlie, Scope.CONNECTIONS_READ), b"", b"Bearer x", b"\xff"):
        assert find_realm_by_credential(header, created.realm.pk, address="192.0.2.1") is None


def test_nor_does_a_token_without_the_scope(created: CreatedRealm, alice: User) -> None:
    header = bearer(alice, Scope.ITEMS_PUBLISH)

    assert find_realm_by_credential(header, created.realm.pk, address="192.0.2.1") is None
