"""Who may do what in a realm: channel rules, revocations, customers' public keys."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from realms.models.realms import MAX_LABEL_CHARACTERS, Realm

#: A channel's name, and a star.
MAX_PATTERN_CHARACTERS = 513
MAX_REVOKED_CHARACTERS = 256


class RealmRule(models.Model):
    """What holds for the channels of one pattern; `document` is `realms.rule_settings.RuleSettings` as JSON."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="rules")
    pattern = models.CharField(max_length=MAX_PATTERN_CHARACTERS)
    document = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "pattern"], name="one_rule_per_pattern")]

    def __str__(self) -> str:
        return self.pattern


class RevocationQuerySet(models.QuerySet["Revocation"]):
    """Revocations, of one realm or of all."""

    def effective(self, realm: Realm, now: datetime) -> "RevocationQuerySet":
        """Those of `realm` whose tokens could still be shown, the newest first."""
        return self.filter(realm=realm, expires_at__gt=now).order_by("-revoked_at", "-pk")

    def over(self, now: datetime) -> "RevocationQuerySet":
        """Those of any realm whose tokens have expired by themselves."""
        return self.filter(expires_at__lte=now)


class Revocation(models.Model):
    """A token, by its `jti`, or all tokens of a user that were issued until then."""

    class Kind(models.TextChoices):
        """What `name` is."""

        TOKEN = "token"  # noqa: S105 - a kind, no secret
        USER = "user"

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="revocations")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    name = models.CharField(max_length=MAX_REVOKED_CHARACTERS)
    revoked_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    objects = RevocationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "kind", "name"], name="one_revocation_per_name")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class TokenKeySet(models.Model):
    """Public keys that a customer signs tokens with: pasted, or fetched from `url`. `issuer` is their tokens' `iss`."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="token_key_sets")
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    issuer = models.CharField(max_length=512, blank=True)
    url = models.CharField(max_length=2048, blank=True)
    document = models.TextField(blank=True)  # a JWK set: pasted, or fetched last
    asked_at = models.DateTimeField(null=True, blank=True, db_index=True)  # when it was to be fetched last
    fetched_at = models.DateTimeField(null=True, blank=True)  # when that succeeded last
    problem = models.TextField(blank=True)  # why it did not, for people; empty when it did
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.label or self.url or f"keys {self.pk}"
