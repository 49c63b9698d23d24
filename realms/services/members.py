"""Changes to who may enter a realm."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from realms.actors import Actor
from realms.api_token_text import digest_of
from realms.audit import Action, note
from realms.errors import RealmLimitReached
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
from realms.services.locking import lock_realm
from realms.services.realms import MAX_REALMS_PER_USER
from realms.services.sandbox_rules import refuse_in_sandbox

#: Members and open invitations together.
MAX_MEMBERS_PER_REALM = 200
INVITATION_LIFE = timedelta(days=7)
#: The same address is not mailed more often than this.
MAIL_AGAIN_AFTER = timedelta(seconds=60)


@transaction.atomic
def invite_member(*, realm: Realm, email: str, role: Role, invited_by: User | None) -> Invitation:
    """Mail a link by which its reader joins the realm. A second invitation of an address takes the first's place.

    Raises:
        InvalidEmail: the address is none.
        AlreadyMember: it is of a member.
        InvitedJustNow: it was invited a moment ago.
        MemberLimitReached: the realm has `MAX_MEMBERS_PER_REALM` members and invitations.
        NotInSandbox: the realm belongs to nobody.
    """
    refuse_in_sandbox(realm, "invite people")
    email = _clean_email(email)
    lock_realm(realm)
    person = User.objects.filter(email__iexact=email).first()
    if person is not None and _find_role(realm, person.pk) is not None:
        raise AlreadyMember
    now = timezone.now()
    open_ones = Invitation.objects.filter(realm=realm, expires_at__gt=now).exclude(email__iexact=email)
    if Member.objects.filter(realm=realm).count() + open_ones.count() >= MAX_MEMBERS_PER_REALM:
        raise MemberLimitReached(MAX_MEMBERS_PER_REALM)
    earlier = Invitation.objects.filter(realm=realm, email__iexact=email).first()
    if earlier is not None:
        if earlier.created_at > now - MAIL_AGAIN_AFTER:
            raise InvitedJustNow(int(MAIL_AGAIN_AFTER.total_seconds()))
        earlier.delete()
    secret = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        realm=realm,
        email=email,
        role=role.value,
        digest=digest_of(secret),
        invited_by=invited_by,
        expires_at=now + INVITATION_LIFE,
    )
    note(realm, Action.MEMBER_INVITED, f"{email} as {role.value}", by=invited_by)
    _mail(invitation, secret)
    return invitation


@transaction.atomic
def accept_invitation(*, user: User, secret: str) -> Realm:
    """Make the reader of an invitation's link a member. Who has the link has had the mail: no address is compared.

    Who is a member already keeps their role, and the invitation is gone.

    Raises:
        InvitationNotFound: it was withdrawn or accepted, or is over.
    """
    invitation = (
        Invitation.objects.select_related("realm")
        .filter(digest=digest_of(secret), expires_at__gt=timezone.now())
        .first()
    )
    if invitation is None:
        raise InvitationNotFound
    realm = invitation.realm
    lock_realm(realm)
    if not Invitation.objects.filter(pk=invitation.pk).delete()[0]:
        raise InvitationNotFound  # somebody else was faster
    if _find_role(realm, user.pk) is None:
        Member.objects.create(realm=realm, user=user, role=invitation.role)
        note(realm, Action.MEMBER_JOINED, f"{user.email} as {invitation.role}", by=user)
    return realm


@transaction.atomic
def withdraw_invitation(*, realm: Realm, invitation_id: int) -> None:
    """Make an invitation's link useless.

    Raises:
        InvitationNotFound: the realm has no such invitation.
    """
    row = Invitation.objects.select_for_update().filter(realm=realm, pk=invitation_id).first()
    if row is None:
        raise InvitationNotFound
    row.delete()
    note(realm, Action.INVITATION_WITHDRAWN, row.email)


def forget_old_invitations() -> None:
    """Delete invitations whose time is over."""
    Invitation.objects.filter(expires_at__lte=timezone.now()).delete()


@transaction.atomic
def change_role(*, realm: Realm, user_id: int, role: Role) -> None:
    """Give a member another role.

    Raises:
        MemberNotFound: the realm has no such member.
        OwnerStays: it is the owner.
    """
    lock_realm(realm)
    _check_is_no_owner(realm, user_id)
    if not Member.objects.filter(realm=realm, user=user_id).update(role=role.value):
        raise MemberNotFound
    note(realm, Action.MEMBER_CHANGED, f"{_email_of(user_id)} to {role.value}")


@transaction.atomic
def remove_member(*, realm: Realm, user_id: int, removed_by: Actor) -> None:
    """End a membership: one's own, or, from admin on, another's. `realm.role` is the role of who asks.

    Raises:
        MemberNotFound: the realm has no such member.
        OwnerStays: it is the owner.
        NotYours: it is another's, and who asks is no admin.
    """
    lock_realm(realm)
    role = _find_role(realm, user_id)
    if role is None:
        raise MemberNotFound
    is_own = removed_by.user is not None and removed_by.user.pk == user_id
    if not is_own and not Role(realm.role).is_at_least(Role.ADMIN):
        raise NotYours
    if role is Role.OWNER:
        raise OwnerStays
    Member.objects.filter(realm=realm, user=user_id).delete()
    note(realm, Action.MEMBER_REMOVED, _email_of(user_id))


@transaction.atomic
def hand_over(*, realm: Realm, user_id: int) -> None:
    """Make another member the owner; the owner so far becomes an admin.

    Raises:
        MemberNotFound: the realm has no such member.
        AlreadyOwner: it is the owner.
        RealmLimitReached: they own as many realms as one may.
    """
    lock_realm(realm)
    realm.refresh_from_db(fields=["owner"])
    member = Member.objects.select_related("user").filter(realm=realm, user=user_id).first()
    if member is None:
        raise AlreadyOwner if realm.owner_id == user_id else MemberNotFound
    User.objects.select_for_update().get(pk=user_id)
    if Realm.objects.filter(owner=user_id).count() >= MAX_REALMS_PER_USER:
        raise RealmLimitReached(MAX_REALMS_PER_USER)
    assert realm.owner is not None  # a sandbox has no members
    Member.objects.create(realm=realm, user=realm.owner, role=Role.ADMIN.value)
    member.delete()
    realm.owner = member.user
    realm.save(update_fields=["owner"])
    note(realm, Action.REALM_HANDED_OVER, f"to {member.user.email}")


def _find_role(realm: Realm, user_id: int) -> Role | None:
    if Realm.objects.filter(pk=realm.pk, owner=user_id).exists():
        return Role.OWNER
    role = Member.objects.filter(realm=realm, user=user_id).values_list("role", flat=True).first()
    return None if role is None else Role(role)


def _check_is_no_owner(realm: Realm, user_id: int) -> None:
    if Realm.objects.filter(pk=realm.pk, owner=user_id).exists():
        raise OwnerStays


def _clean_email(email: str) -> str:
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidEmail from None
    return email


def _mail(invitation: Invitation, secret: str) -> None:
    context = {
        "invitation": invitation,
        "inviter": invitation.invited_by.email if invitation.invited_by else "An administrator",
        "link": f"{settings.PUBLIC_URL}{reverse('invitation', args=[secret])}",
        "days": INVITATION_LIFE.days,
    }
    mail = EmailMultiAlternatives(
        subject=render_to_string("emails/invitation/subject.txt", context).strip(),
        body=render_to_string("emails/invitation/body.txt", context),
        to=[invitation.email],
    )
    mail.attach_alternative(render_to_string("emails/invitation/body.html", context), "text/html")
    mail.send()


def _email_of(user_id: int) -> str:
    return User.objects.values_list("email", flat=True).get(pk=user_id)
