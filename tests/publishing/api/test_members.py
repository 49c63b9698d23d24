"""Members by program."""

import re

from django.core import mail

from accounts.models import User
from realms.models import Member, Realm
from realms.roles import Role
from realms.services import CreatedRealm
from tests.publishing.api.callers import Caller, caller_for, realm_token


def test_somebody_is_invited_joins_is_raised_and_leaves(alices_caller: Caller, created: CreatedRealm, bob: User):
    base, bobs = f"realms/{created.realm.pk}", caller_for(bob)
    made = alices_caller.post(f"{base}/invitations", {"email": bob.email, "role": "viewer"})
    assert made.status_code == 201
    assert "secret" not in made.content.decode()
    listed = alices_caller.get(f"{base}/invitations").json()["items"]
    assert listed == [made.json()] == [alices_caller.get(made.headers["Location"]).json()]
    secret = re.search(r"/invitations/([\w-]+)/", str(mail.outbox[0].body))
    assert secret is not None

    joined = bobs.post("invitations/accept", {"secret": secret[1]})
    assert joined.json()["role"] == "viewer"
    assert alices_caller.get(made.headers["Location"]).json()["code"] == "invitation_not_found"
    member = f"{base}/members/{bob.pk}"
    assert alices_caller.patch(member, {"role": "admin"}).json()["role"] == "admin"
    assert bobs.get(f"{base}/members").json()["items"][1] == alices_caller.get(member).json()
    assert bobs.delete(member).status_code == 204
    assert bobs.get(base).status_code == 404


def test_the_owner_hands_the_realm_over(alices_caller: Caller, created: CreatedRealm, bob: User):
    base = f"realms/{created.realm.pk}"
    Member.objects.create(realm=created.realm, user=bob, role=Role.VIEWER)
    token = Caller(f"Bearer {realm_token(created.realm)}")

    assert token.post(f"{base}/owner", {"user": bob.pk}).json()["code"] == "role_too_low"
    answer = alices_caller.post(f"{base}/owner", {"user": bob.pk})

    assert [member["role"] for member in answer.json()["items"]] == ["owner", "admin"]
    assert Realm.objects.get().owner == bob
    assert alices_caller.delete(base).json()["code"] == "role_too_low"


def test_what_can_not_be_is_refused(alices_caller: Caller, created: CreatedRealm, alice: User):
    base = f"realms/{created.realm.pk}"

    assert alices_caller.delete(f"{base}/members/{alice.pk}").json()["code"] == "owner_stays"
    assert alices_caller.patch(f"{base}/members/{alice.pk}", {"role": "viewer"}).json()["code"] == "owner_stays"
    assert alices_caller.post(f"{base}/invitations", {"email": "x", "role": "viewer"}).json()["field"] == "email"
    refused = alices_caller.post(f"{base}/invitations", {"email": "x@example.com", "role": "owner"})
    assert refused.json()["field"] == "role"
    assert alices_caller.post(f"{base}/invitations", {"email": alice.email, "role": "viewer"}).status_code == 409
    assert alices_caller.post("invitations/accept", {"secret": "x"}).json()["code"] == "invitation_not_found"
    assert alices_caller.post(f"{base}/owner", {"user": alice.pk}).json()["code"] == "already_owner"
