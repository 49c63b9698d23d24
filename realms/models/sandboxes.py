"""Realms that belong to nobody yet."""

from django.db import models
from django.utils import timezone

from realms.models.realms import Realm


class Sandbox(models.Model):
    """What is known of a realm without an owner: until when it lives, and where its visitor came from.

    Gone once somebody keeps the realm; the addresses are there to count by, and go with it.
    """

    realm = models.OneToOneField(Realm, on_delete=models.CASCADE, primary_key=True, related_name="sandbox")
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=45, db_index=True)
    network = models.CharField(max_length=50, db_index=True)  # the /24 or /64 that the address is in
    mails_sent = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"sandbox {self.realm_id}"
