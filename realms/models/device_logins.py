"""Programs that wait to be let in by somebody who is signed in elsewhere: `fanout login`."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from realms.models.realms import MAX_LABEL_CHARACTERS


class DeviceLogin(models.Model):
    """A program's request for a personal API token. Gone once it has its token, or its time is over.

    The program knows a long secret, of which the digest is stored; a person reads the short code from its screen.
    """

    digest = models.CharField(max_length=64, unique=True)
    user_code = models.CharField(max_length=8, unique=True)
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    scopes = models.JSONField()
    address = models.GenericIPAddressField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    is_denied = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.user_code[:2]}…"

    @property
    def shown_code(self) -> str:
        """The code as people read and type it."""
        return f"{self.user_code[:4]}-{self.user_code[4:]}"

    @property
    def is_decided(self) -> bool:
        """Whether somebody has said yes or no."""
        return self.is_denied or self.approved_by_id is not None
