"""Realms."""

import secrets

from django.conf import settings
from django.db import models
from django.utils import timezone

MAX_LABEL_CHARACTERS = 80


def new_realm_id() -> str:
    """Return eight random hexadecimal digits."""
    return secrets.token_hex(4)


class Realm(models.Model):
    """A customer's isolated space; everything belongs to exactly one."""

    # Longer than our own ids: realms that move here may have chosen names (`fanoutcloud.core.names`).
    id = models.CharField(primary_key=True, max_length=64, default=new_realm_id, editable=False)
    #: None: a sandbox, which is nobody's yet (`realms.services.sandboxes`).
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="realms"
    )
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    #: What an operator allows it in place of the installation's limits; see `realms.limit_settings`.
    limits = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sends_stanzas = models.BooleanField(default=False)  # whether items bring whole stanzas to XMPP subscribers
    stanza_url = models.CharField(max_length=2048, blank=True, default="")  # where stanzas to the realm are posted
    has_subscription_feed = models.BooleanField(default=False)  # since a publisher first asked for it

    class Meta:
        indexes = [models.Index(fields=["owner", "created_at"], name="realm_of_owner")]

    def __str__(self) -> str:
        return self.label or self.id

    @property
    def role(self) -> str:
        """The role of whoever asked for the realm; "" where nobody did. Not stored: see `realms.selectors`."""
        return str(self.__dict__.get("asker_role", ""))

    def ask_as(self, role: str) -> None:
        """Note the role of whoever asks."""
        self.__dict__["asker_role"] = role
