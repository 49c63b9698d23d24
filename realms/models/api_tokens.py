"""Tokens for the management API."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from realms.models.realms import MAX_LABEL_CHARACTERS, Realm


class ApiToken(models.Model):
    """A token of a person (`user`), for all realms that the person may enter, or of one realm (`realm`).

    Only a digest is stored: the text is shown once. `prefix` are its first characters, to tell tokens apart.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="api_tokens"
    )
    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, null=True, blank=True, related_name="api_tokens")
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(user__isnull=True) ^ models.Q(realm__isnull=True), name="api_token_of_one_holder"
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def is_expired(self, now: datetime) -> bool:
        """Return whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now


class StoredAnswer(models.Model):
    """What a request with an Idempotency-Key was answered, so that its repetition gets the same.

    The body is sealed: it may hold a secret that is shown once.
    """

    actor = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)  # of method, path and body
    status = models.PositiveSmallIntegerField()
    sealed_body = models.TextField()
    location = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor", "key"], name="stored_answer_once_per_key")]

    def __str__(self) -> str:
        return f"{self.status} to {self.actor}"
