"""XMPP addresses: those that may administer a realm, and those that get stanzas without having subscribed."""

from django.db import models
from django.utils import timezone

from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES
from realms.models.realms import Realm

MAX_ADDRESS_CHARACTERS = 2047
MAX_DOMAIN_CHARACTERS = 1023


class XmppAdmin(models.Model):
    """A bare address, or a whole domain as `@example.org`."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="xmpp_admins")
    address = models.CharField(max_length=MAX_ADDRESS_CHARACTERS)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "address"], name="one_admin_per_address")]
        indexes = [models.Index(fields=["address"], name="realms_of_xmpp_admin")]

    def __str__(self) -> str:
        return self.address


class XmppReceiver(models.Model):
    """A bare address that a realm writes to, and whether it wants that. Outlives its channels, as an answer does."""

    class State(models.TextChoices):
        """Only an active one gets anything."""

        PENDING = "pending"  # it is asked, or will be in a moment
        ACTIVE = "active"
        PAUSED = "paused"  # what was sent to it came back
        REFUSED = "refused"  # it does not want anything

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="xmpp_receivers")
    address = models.CharField(max_length=MAX_ADDRESS_CHARACTERS)
    domain = models.CharField(max_length=MAX_DOMAIN_CHARACTERS)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    state_reason = models.CharField(max_length=200, blank=True)
    state_since = models.DateTimeField(default=timezone.now)
    code = models.CharField(max_length=12, blank=True)  # what it is asked to answer with
    asked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "address"], name="one_receiver_per_address")]
        indexes = [
            models.Index(fields=["domain", "created_at"], name="receivers_of_domain"),
            models.Index(fields=["state", "asked_at"], name="receivers_to_ask"),
        ]

    def __str__(self) -> str:
        return self.address


class XmppReceiverChannel(models.Model):
    """A channel whose stanzas an address gets."""

    receiver = models.ForeignKey(XmppReceiver, on_delete=models.CASCADE, related_name="channels")
    channel = models.CharField(max_length=MAX_CHANNEL_NAME_BYTES)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["receiver", "channel"], name="one_receiver_per_channel")]

    def __str__(self) -> str:
        return f"{self.receiver} of {self.channel}"
