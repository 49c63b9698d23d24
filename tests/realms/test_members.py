"""Members of a realm: invited, accepted, given roles, removed; the realm handed over."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from realms.actors import Actor
from realms.errors import RealmLimitReached, RealmNotFound, RoleTooLow
from realms.membership_errors import (
    AlreadyMember,
    AlreadyOwner,
    InvalidEmail,
    InvitationNotFound,
    InvitedJustNow,
    MemberLimitReached,
    MemberNotFound,
    NotYours,
    OwnerStays,
)
from realms.models import Invitation, Member, Realm
from realms.roles import Role
from realms.selectors import access_realm, list_members
from realms.services import CreatedRealm
from realms.services.members import (
    accept_invitation,
    change_role,
    hand_over,
    invite_member,
    remove_member,
    withdraw_invitation,
)


def invite(created: CreatedRealm, email: str = "bob@example.com", role: Role = Role.DEVELOPER) -> str:
    """Invite somebody; return the secret of the mail's link."""
    invite_member(realm=created.realm, email=email, role=role, invited_by=created.realm.owner)
    sent = mail.outbox[-1]
    assert sent.to == [email]
    found = re.search(r"http://localhost:8000/invitations/([\w-]+)/", str(sent.body))
    assert found is not None
    assert found[0] in str(sent.alternatives[0][0])  # the mail in HTML leads to the same
    return found[1]


def join(created: CreatedRealm, user: User, role: Role) -> None:
    Member.objects.create(realm=created.realm, user=user, role=role)


def test_who_follows_the_link_becomes_a_member(created: CreatedRealm, bob: User):
    secret = invite(created)

    accept_invitation(user=bob, secret=secret)

    assert access_realm(bob, created.realm.pk).role == "developer"
    assert [(member.email, member.role) for member in list_members(created.realm)] == [
        ("alice@example.com", Role.OWNER),
        ("bob@example.com", Role.DEVELOPER),
    ]
    with pytest.raises(InvitationNotFound):
        accept_invitation(user=bob, secret=secret)


def test_a_link_ends_and_can_be_withdrawn(created: CreatedRealm, bob: User):
    late = invite(created)
    Invitation.objects.update(expires_at=timezone.now())
    with pytest.raises(InvitationNotFound):
        accept_invitation(user=bob, secret=late)

    withdrawn = invite(created, "other@example.com")
    invitation = Invitation.objects.latest("pk")
    withdraw_invitation(realm=created.realm, invitation_id=invitation.pk)
    for secret in (withdrawn, "", "x"):
        with pytest.raises(InvitationNotFound):
            accept_invitation(user=bob, secret=secret)
    with pytest.raises(InvitationNotFound):
        withdraw_invitation(realm=created.realm, invitation_id=invitation.pk)


def test_a_second_invitation_takes_the_first_ones_place(created: CreatedRealm, bob: User):
    first = invite(created)
    with pytest.raises(InvitedJustNow):
        invite(created, "BOB@example.com")
    Invitation.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    second = invite(created, role=Role.VIEWER)

    with pytest.raises(InvitationNotFound):
        accept_invitation(user=bob, secret=first)
    accept_invitation(user=bob, secret=second)
    assert access_realm(bob, created.realm.pk, at_least=Role.VIEWER).role == "viewer"


def test_no_invitation_lowers_or_raises_who_is_in_already(created: CreatedRealm, alice: User, bob: User):
    with pytest.raises(AlreadyMember):
        invite(created, "Alice@example.com")
    secret = invite(created, "somebody@example.com", Role.VIEWER)
    join(created, bob, Role.ADMIN)

    accept_invitation(user=bob, secret=secret)

    assert access_realm(bob, created.realm.pk).role == "admin"


@pytest.mark.parametrize("email", ["", "bob", "bob@", "bob@example.com\nBcc: x@example.com", "a@b@c.d"])
def test_what_is_no_address_is_not_invited(created: CreatedRealm, email: str):
    with pytest.raises(InvalidEmail):
        invite_member(realm=created.realm, email=email, role=Role.VIEWER, invited_by=None)
    assert mail.outbox == []


def test_there_are_so_many_members_and_no_more(created: CreatedRealm, bob: User, monkeypatch):
    monkeypatch.setattr("realms.services.members.MAX_MEMBERS_PER_REALM", 2)
    join(created, bob, Role.VIEWER)
    invite(created, "third@example.com")

    with pytest.raises(MemberLimitReached):
        invite(created, "fourth@example.com")


def test_roles_are_given_and_memberships_end(created: CreatedRealm, alice: User, bob: User, charlie: User):
    join(created, bob, Role.VIEWER)
    with pytest.raises(RoleTooLow):
        access_realm(bob, created.realm.pk)
    change_role(realm=created.realm, user_id=bob.pk, role=Role.DEVELOPER)
    seen = access_realm(bob, created.realm.pk)

    with pytest.raises(NotYours):
        remove_member(realm=seen, user_id=alice.pk, removed_by=Actor.of_person(bob))
    with pytest.raises(MemberNotFound):
        remove_member(realm=seen, user_id=charlie.pk, removed_by=Actor.of_person(bob))
    remove_member(realm=seen, user_id=bob.pk, removed_by=Actor.of_person(bob))
    with pytest.raises(RealmNotFound):
        access_realm(bob, created.realm.pk, at_least=Role.VIEWER)
    with pytest.raises(MemberNotFound):
        change_role(realm=created.realm, user_id=bob.pk, role=Role.ADMIN)


def test_the_owner_stays(created: CreatedRealm, alice: User):
    realm = access_realm(alice, created.realm.pk)

    with pytest.raises(OwnerStays):
        remove_member(realm=realm, user_id=alice.pk, removed_by=Actor.of_person(alice))
    with pytest.raises(OwnerStays):
        change_role(realm=realm, user_id=alice.pk, role=Role.VIEWER)


def test_a_realm_is_handed_over(created: CreatedRealm, alice: User, bob: User, charlie: User, monkeypatch):
    join(created, bob, Role.VIEWER)

    hand_over(realm=created.realm, user_id=bob.pk)

    assert Realm.objects.get().owner == bob
    assert {(member.email, member.role) for member in list_members(Realm.objects.get())} == {
        ("bob@example.com", Role.OWNER),
        ("alice@example.com", Role.ADMIN),
    }
    with pytest.raises(AlreadyOwner):
        hand_over(realm=created.realm, user_id=bob.pk)
    with pytest.raises(MemberNotFound):
        hand_over(realm=created.realm, user_id=charlie.pk)
    monkeypatch.setattr("realms.services.members.MAX_REALMS_PER_USER", 0)
    with pytest.raises(RealmLimitReached):
        hand_over(realm=created.realm, user_id=alice.pk)


# -- pages ----------------


def page_of(client: Client, created: CreatedRealm) -> str:
    return client.get(reverse("realms:members", args=[created.realm.pk])).content.decode()


@pytest.fixture
def bobs_client(bob: User) -> Client:
    client = Client()
    client.force_login(bob)
    return client


def test_the_page_shows_each_what_they_may_do(
    alice_client: Client, bobs_client: Client, charlie_client: Client, created: CreatedRealm, bob: User
):
    join(created, bob, Role.VIEWER)

    assert "Hand over" in page_of(alice_client, created)
    assert "Invite" in page_of(alice_client, created)
    page = page_of(bobs_client, created)
    assert "Leave" in page
    assert "Invite" not in page
    assert "Remove" not in page
    assert charlie_client.get(reverse("realms:members", args=[created.realm.pk])).status_code == 404


def test_somebody_is_invited_joins_is_raised_and_removed(
    alice_client: Client, bobs_client: Client, created: CreatedRealm, bob: User
):
    realm = created.realm.pk
    sent = alice_client.post(
        reverse("realms:invite", args=[realm]), {"email": "bob@example.com", "role": "viewer"}, follow=True
    )
    assert "An invitation is on its way" in sent.content.decode()
    link = re.search(r"/invitations/[\w-]+/", str(mail.outbox[0].body))
    assert link is not None

    assert "alice@example.com invites you" in " ".join(bobs_client.get(link[0]).content.decode().split())
    joined = bobs_client.post(link[0], follow=True)
    assert "You are a member of this realm now." in joined.content.decode()
    assert bobs_client.get(link[0]).status_code == bobs_client.post(link[0]).status_code == 404

    alice_client.post(reverse("realms:member_role", args=[realm, bob.pk]), {"role": "admin"})
    assert access_realm(bob, realm).role == "admin"
    alice_client.post(reverse("realms:member_remove", args=[realm, bob.pk]))
    assert bobs_client.get(reverse("realms:detail", args=[realm])).status_code == 404


def test_bad_forms_are_said_so(alice_client: Client, created: CreatedRealm, alice: User):
    realm = created.realm.pk
    for data in (
        {"email": "x", "role": "viewer"},
        {"email": "a@example.com", "role": "owner"},
        {"email": alice.email, "role": "viewer"},
    ):
        assert alice_client.post(reverse("realms:invite", args=[realm]), data).status_code == 422
    assert alice_client.post(reverse("realms:member_role", args=[realm, alice.pk]), {"role": "god"}).status_code == 422
    assert (
        alice_client.post(reverse("realms:member_role", args=[realm, alice.pk]), {"role": "admin"}).status_code == 409
    )
    assert alice_client.post(reverse("realms:transfer", args=[realm, 999_999])).status_code == 404


def test_a_link_waits_for_who_is_not_signed_in(client: Client, created: CreatedRealm):
    secret = invite(created)

    answer = client.get(f"/invitations/{secret}/")

    assert answer.status_code == 302
    assert answer.headers["Location"].endswith(f"?next=/invitations/{secret}/")


@pytest.mark.parametrize("role", [Role.ADMIN, Role.DEVELOPER, Role.VIEWER])
def test_pages_ask_for_the_role_that_they_need(bobs_client: Client, created: CreatedRealm, bob: User, role: Role):
    join(created, bob, role)
    args, key = [created.realm.pk], [created.realm.pk, created.key.pk]
    needed = {
        ("GET", reverse("realms:detail", args=args)): Role.VIEWER,
        ("GET", reverse("realms:members", args=args)): Role.VIEWER,
        ("GET", reverse("realms:console", args=args)): Role.VIEWER,
        ("GET", reverse("onboarding:quick_start", args=args)): Role.DEVELOPER,  # it shows the key
        ("POST", reverse("realms:key_reveal", args=key)): Role.DEVELOPER,
        ("POST", reverse("realms:key_add", args=args)): Role.DEVELOPER,
        ("POST", reverse("realms:invite", args=args)): Role.ADMIN,
        ("GET", reverse("realms:tokens", args=args)): Role.ADMIN,
        ("POST", reverse("realms:key_revoke", args=[created.realm.pk, 999_999])): Role.ADMIN,
        ("POST", reverse("realms:transfer", args=[created.realm.pk, 999_999])): Role.OWNER,
        ("POST", reverse("realms:delete", args=args)): Role.OWNER,
    }

    for (method, path), least in needed.items():
        answer = bobs_client.generic(method, path)
        assert (answer.status_code == 403) == (not role.is_at_least(least)), path
    assert Realm.objects.exists()
