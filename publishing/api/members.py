"""Who may enter a realm, and who is invited to."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.realms import RealmFields
from publishing.api.resources import RealmResource, Resource
from publishing.api.serializers import Fields, PageQuery, instant
from realms.models import Invitation
from realms.roles import GIVEN_ROLES, Role
from realms.scopes import Scope
from realms.selectors import (
    MemberView,
    access_realm,
    get_invitation,
    get_member,
    list_invitations,
    list_members,
)
from realms.services.members import (
    accept_invitation,
    change_role,
    hand_over,
    invite_member,
    remove_member,
    withdraw_invitation,
)

_GIVEN = [(role.value, role.label) for role in GIVEN_ROLES]


class MemberFields(Fields):
    """A member of a realm."""

    user = serializers.IntegerField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices)
    since = serializers.DateTimeField()

    def to_representation(self, member: MemberView) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "user": member.user_id,
            "email": member.email,
            "role": member.role.value,
            "since": instant(member.since),
        }


class MemberListFields(Fields):
    """All members of a realm: the owner, then the others."""

    items = MemberFields(many=True)


class RoleBody(Fields):
    """A role to give."""

    role = serializers.ChoiceField(choices=_GIVEN)


class OwnerBody(Fields):
    """Who gets the realm."""

    user = serializers.IntegerField(min_value=1, max_value=2**53)


class InvitationFields(Fields):
    """An open invitation. Its link is in the mail, and nowhere else."""

    id = serializers.IntegerField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=_GIVEN)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()

    def to_representation(self, invitation: Invitation) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": invitation.pk,
            "email": invitation.email,
            "role": invitation.role,
            "created_at": instant(invitation.created_at),
            "expires_at": instant(invitation.expires_at),
        }


class InvitationBody(Fields):
    """Whom to invite, and as what."""

    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=_GIVEN)


class AcceptBody(Fields):
    """The invitation to accept."""

    secret = serializers.CharField(max_length=100, trim_whitespace=False, help_text="The last part of the mail's link.")


class MemberList(RealmResource):
    """The members of a realm."""

    operations = {
        "GET": Operation(
            "listMembers",
            "List members",
            Scope.MEMBERS_READ,
            Role.VIEWER,
            about="All of them at once: there are no more than 200.",
            answers=MemberListFields,
        )
    }

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with all members."""
        return Response({"items": MemberFields(list_members(self.realm), many=True).data})


class MemberDetail(RealmResource):
    """One member of a realm."""

    has_state = True
    operations = {
        "GET": Operation("readMember", "Read a member", Scope.MEMBERS_READ, Role.VIEWER, answers=MemberFields),
        "PATCH": Operation(
            "changeRole",
            "Change a member's role",
            Scope.MEMBERS_WRITE,
            Role.ADMIN,
            takes=RoleBody,
            answers=MemberFields,
            example={"role": "developer"},
        ),
        "DELETE": Operation(
            "removeMember",
            "Remove a member, or leave",
            Scope.MEMBERS_WRITE,
            Role.VIEWER,
            about="Everybody but the owner may leave; to remove others takes an admin.",
            status=204,
        ),
    }

    def current(self) -> Any:
        """Return the member as GET does."""
        return MemberFields(get_member(self.realm, self.kwargs["user_id"])).data

    def get(self, request: Request, realm_id: str, user_id: int) -> Response:
        """Answer with the member."""
        return self.answer(get_member(self.realm, user_id))

    def patch(self, request: Request, realm_id: str, user_id: int) -> Response:
        """Give another role, if one came."""
        if "role" in self.body:
            change_role(realm=self.realm, user_id=user_id, role=Role(self.body["role"]))
        return self.answer(get_member(self.realm, user_id))

    def delete(self, request: Request, realm_id: str, user_id: int) -> Response:
        """End the membership."""
        remove_member(realm=self.realm, user_id=user_id, removed_by=self.actor)
        return Response(status=204)


class Ownership(RealmResource):
    """Whose realm it is."""

    operations = {
        "POST": Operation(
            "handOverRealm",
            "Hand the realm over",
            Scope.MEMBERS_WRITE,
            Role.OWNER,
            about="To another member; you become an admin.",
            takes=OwnerBody,
            answers=MemberListFields,
            example={"user": 2},
        )
    }

    def post(self, request: Request, realm_id: str) -> Response:
        """Make another member the owner."""
        hand_over(realm=self.realm, user_id=self.body["user"])
        return Response({"items": MemberFields(list_members(self.realm), many=True).data})


class InvitationList(RealmResource):
    """The open invitations of a realm."""

    operations = {
        "GET": Operation(
            "listInvitations",
            "List invitations",
            Scope.MEMBERS_READ,
            Role.ADMIN,
            answers=InvitationFields,
            query=PageQuery,
            has_pages=True,
        ),
        "POST": Operation(
            "inviteMember",
            "Invite somebody",
            Scope.MEMBERS_WRITE,
            Role.ADMIN,
            about="Mails a link that works once, within 7 days; a later one takes its place.",
            takes=InvitationBody,
            answers=InvitationFields,
            status=201,
            example={"email": "bob@example.com", "role": "developer"},
        ),
    }

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of invitations, the oldest first."""
        return self.page(list_invitations(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Invite somebody."""
        invitation = invite_member(
            realm=self.realm, email=self.body["email"], role=Role(self.body["role"]), invited_by=self.actor.user
        )
        return self.answer(invitation, location=reverse("api:invitation", args=[self.realm.pk, invitation.pk]))


class InvitationDetail(RealmResource):
    """One invitation."""

    operations = {
        "GET": Operation(
            "readInvitation", "Read an invitation", Scope.MEMBERS_READ, Role.ADMIN, answers=InvitationFields
        ),
        "DELETE": Operation(
            "withdrawInvitation", "Withdraw an invitation", Scope.MEMBERS_WRITE, Role.ADMIN, status=204
        ),
    }

    def get(self, request: Request, realm_id: str, invitation_id: int) -> Response:
        """Answer with the invitation."""
        return self.answer(get_invitation(self.realm, invitation_id))

    def delete(self, request: Request, realm_id: str, invitation_id: int) -> Response:
        """Withdraw it."""
        withdraw_invitation(realm=self.realm, invitation_id=invitation_id)
        return Response(status=204)


class AcceptInvitation(Resource):
    """Joining a realm."""

    operations = {
        "POST": Operation(
            "acceptInvitation",
            "Accept an invitation",
            Scope.REALMS_WRITE,
            needs_person=True,
            takes=AcceptBody,
            answers=RealmFields,
            example={"secret": "the last part of the link in the mail"},
        )
    }

    def post(self, request: Request) -> Response:
        """Join the realm."""
        if self.actor.user is None:
            raise AssertionError("needs_person was checked")
        realm = accept_invitation(user=self.actor.user, secret=self.body["secret"])
        return self.answer(access_realm(self.actor.user, realm.pk, at_least=Role.VIEWER))
