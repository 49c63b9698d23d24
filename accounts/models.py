"""People, and the mail that waits to go to them."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone


class UserManager(BaseUserManager["User"]):
    """Finds people by e-mail address, whatever its case."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a new person; without a password, they can set one through "forgot password".

        Raises:
            ValueError: the address is empty.
            IntegrityError: somebody has this address.
        """
        if not email:
            raise ValueError("a user needs an e-mail address")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)  # None makes it unusable
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return who signs in with this address."""
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """Somebody who signs in with an e-mail address and a password."""

    email = models.EmailField(max_length=254)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique_ignoring_case")]

    def __str__(self) -> str:
        return self.email


class OutgoingEmail(models.Model):
    """One mail that has to go out. A row first, a task second: a lost task is found by the sweep.

    The bodies hold password-reset links, so they are emptied once the mail has gone, or can't go any more.
    """

    class Status(models.TextChoices):
        """What is to happen with the mail."""

        WAITING = "waiting"  # to be sent when `next_attempt_at` has passed
        SENDING = "sending"  # claimed; if its process died, free again when `next_attempt_at` has passed
        SENT = "sent"
        FAILED = "failed"  # given up

    recipients = models.JSONField()
    sender = models.CharField(max_length=320)
    subject = models.CharField(max_length=255)
    body_text = models.TextField(blank=True)
    body_html = models.TextField(blank=True)
    message_id = models.CharField(max_length=255)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(status__in=["waiting", "sending"]),
                name="outgoing_email_due",
            )
        ]

    def __str__(self) -> str:
        return f"mail {self.pk} ({self.status})"
