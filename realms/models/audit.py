"""Who changed what."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from realms.models.realms import Realm

MAX_THING_CHARACTERS = 300


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries of one realm, or old ones of all."""

    def of_realm(self, realm: Realm) -> "AuditEntryQuerySet":
        """The realm's own: not those of a deleted one that had the same id."""
        return self.filter(realm_id=realm.pk, at__gte=realm.created_at)

    def older_than(self, moment: datetime) -> "AuditEntryQuerySet":
        """Those from before `moment`, of any realm."""
        return self.filter(at__lt=moment)


class AuditEntry(models.Model):
    """One change of a realm. It refers to nothing, so that it outlives whatever it tells of."""

    realm_id = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    #: The credential, such as `user:3`, `token:17` or `key:4`; "system" where nobody asked.
    actor = models.CharField(max_length=100)
    actor_name = models.CharField(max_length=400)  # for people, as it was then
    action = models.CharField(max_length=40)
    #: What was changed, for people: never a secret.
    thing = models.CharField(max_length=MAX_THING_CHARACTERS, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["realm_id", "id"], name="audit_of_realm")]

    def __str__(self) -> str:
        return f"{self.action} {self.thing}"
