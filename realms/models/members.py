"""Who may enter a realm besides its owner, and who is invited to."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from realms.models.realms import Realm
from realms.roles import GIVEN_ROLES

_ROLE_CHOICES = [(role.value, role.label) for role in GIVEN_ROLES]
_IS_GIVEN = models.Q(role__in=[role.value for role in GIVEN_ROLES])


class Member(models.Model):
    """Somebody who may enter a realm. The owner is none of these rows: see `Realm.owner`."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=_ROLE_CHOICES)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["realm", "user"], name="member_once_per_realm"),
            models.CheckConstraint(condition=_IS_GIVEN, name="member_role_is_given"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.realm_id}"


class Invitation(models.Model):
    """An e-mail address that was asked to join a realm. Gone once it is accepted or withdrawn."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=_ROLE_CHOICES)
    digest = models.CharField(max_length=64, unique=True)  # of the secret in the link
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("realm", Lower("email"), name="invitation_once_per_address"),
            models.CheckConstraint(condition=_IS_GIVEN, name="invitation_role_is_given"),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.realm_id}"
