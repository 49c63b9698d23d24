"""Every route of the API, walked: who is no member finds nothing, and no role or scope opens more than it says."""

import re
from typing import Any, NamedTuple

import pytest
from django.urls import URLPattern

from accounts.models import User
from publishing.api.resources import RealmResource, Resource
from publishing.api.urls import urlpatterns
from realms.models import Member, Realm
from realms.roles import GIVEN_ROLES, Role
from realms.scopes import ALL_SCOPES
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.api.callers import Caller, caller_for, personal_token, realm_token


class Route(NamedTuple):
    """One method of one address."""

    path: str
    method: str
    resource: type[Resource]

    def in_realm(self, realm: Realm) -> str:
        """Return the address in `realm`; ids of what is in it are of nothing."""
        return re.sub(r"<\w+:\w+>|<\w+>", "999999", self.path.replace("<slug:realm_id>", realm.pk))

    def body(self) -> Any:
        return self.resource.operations[self.method].example or (
            {} if self.method in ("POST", "PATCH", "PUT") else None
        )


def _routes() -> list[Any]:
    found = []
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        resource = getattr(pattern.callback, "cls", None)
        if resource is not None:
            found.extend(Route(str(pattern.pattern), method, resource) for method in resource.operations)
    return found


ROUTES = _routes()
IN_REALMS = [route for route in ROUTES if issubclass(route.resource, RealmResource)]


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_every_route_of_a_realm_goes_through_the_one_door():
    outside = [name_of(route) for route in ROUTES if "realm_id" in route.path and route not in IN_REALMS]

    assert outside == []
    assert len(IN_REALMS) > 5


@pytest.mark.parametrize("route", IN_REALMS, ids=name_of)
def test_a_foreign_realm_looks_like_none(route: Route, created: CreatedRealm, charlie: User):
    theirs = make_realm(charlie).realm
    nowhere = Realm(id="ffffffff")
    callers = [
        caller_for(charlie),
        Caller(f"Bearer {realm_token(theirs)}"),
    ]

    for caller in callers:
        foreign = caller(route.method, route.in_realm(created.realm), route.body())
        missing = caller(route.method, route.in_realm(nowhere), route.body())
        assert foreign.status_code == missing.status_code == 404
        assert foreign.json()["code"] == missing.json()["code"] == "realm_not_found"
        assert foreign.content.replace(created.realm.pk.encode(), b"ID") == missing.content.replace(b"ffffffff", b"ID")


@pytest.mark.parametrize("route", IN_REALMS, ids=name_of)
def test_nobody_and_a_foreign_key_are_let_in_nowhere(
    route: Route, created: CreatedRealm, charlie: User, nobody: Caller
):
    theirs = make_realm(charlie)

    assert nobody(route.method, route.in_realm(created.realm), route.body()).status_code == 401
    answer = Caller(f"Bearer {theirs.secret}")(route.method, route.in_realm(created.realm), route.body())
    assert answer.status_code == 401


@pytest.mark.parametrize("role", GIVEN_ROLES)
@pytest.mark.parametrize("route", IN_REALMS, ids=name_of)
def test_a_role_opens_what_it_says(route: Route, role: Role, created: CreatedRealm, bob: User):
    Member.objects.create(realm=created.realm, user=bob, role=role)
    needed = route.resource.operations[route.method].at_least

    answer = caller_for(bob)(route.method, route.in_realm(created.realm), route.body())

    is_refused = answer.status_code == 403 and answer.json()["code"] == "role_too_low"
    assert is_refused == (not role.is_at_least(needed)), answer.content


@pytest.mark.parametrize("route", IN_REALMS, ids=name_of)
def test_a_scope_opens_what_it_says(route: Route, created: CreatedRealm, alice: User):
    scope = route.resource.operations[route.method].scope
    assert scope is not None
    without = Caller(f"Bearer {personal_token(alice, ALL_SCOPES - {scope})}")
    only = Caller(f"Bearer {personal_token(alice, [scope])}")

    refused = without(route.method, route.in_realm(created.realm), route.body())
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    answer = only(route.method, route.in_realm(created.realm), route.body())
    assert answer.status_code != 403 or answer.json()["code"] != "scope_missing"
    assert answer.status_code < 500 or answer.status_code == 503  # there is no delivery plane here


OTHERS = [route for route in ROUTES if route not in IN_REALMS]


@pytest.mark.parametrize("route", OTHERS, ids=name_of)
def test_what_is_in_no_realm_needs_its_scope_and_a_person(route: Route, created: CreatedRealm, alice: User):
    operation = route.resource.operations[route.method]
    if operation.scope is not None:
        without = Caller(f"Bearer {personal_token(alice, ALL_SCOPES - {operation.scope})}")
        assert without(route.method, route.in_realm(created.realm), route.body()).status_code == 403
    if operation.needs_person:
        realms = Caller(f"Bearer {realm_token(created.realm)}")
        answer = realms(route.method, route.in_realm(created.realm), route.body())
        assert answer.json()["code"] == "person_needed"
