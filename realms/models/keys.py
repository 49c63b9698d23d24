"""Keys of realms."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from realms.models.realms import MAX_LABEL_CHARACTERS, Realm


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Keys, always of one realm."""

    def live(self, realm: Realm) -> "ApiKeyQuerySet":
        """Those of `realm` that still open it, oldest first."""
        return self.filter(realm=realm, revoked_at__isnull=True).order_by("created_at", "pk")


class ApiKey(models.Model):
    """A key that a customer's servers sign in with and sign tokens with.

    The secret must stay readable, since tokens are verified with it; so it is sealed rather than hashed.
    """

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="api_keys")
    sealed_secret = models.TextField()
    hint = models.CharField(max_length=4)  # the last characters of the Base64 text, to tell keys apart
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["realm"], condition=models.Q(revoked_at__isnull=True), name="api_key_live")]

    def __str__(self) -> str:
        return f"…{self.hint}"
