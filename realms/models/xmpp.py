"""XMPP addresses that may administer a realm."""

from django.db import models
from django.utils import timezone

from realms.models.realms import Realm

MAX_ADDRESS_CHARACTERS = 2047


class XmppAdmin(models.Model):
    """A bare address, or a whole domain as `@example.org`."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="xmpp_admins")
    address = models.CharField(max_length=MAX_ADDRESS_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "address"], name="one_admin_per_address")]

    def __str__(self) -> str:
        return self.address
