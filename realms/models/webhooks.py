"""What is called when something is published: URLs by channel."""

from django.db import models
from django.utils import timezone

from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES
from realms.models.realms import Realm

MAX_URL_CHARACTERS = 2048


class RequestSubscription(models.Model):
    """A URL that is called with every item of a channel that has the format `http-request`."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="request_subscriptions")
    channel = models.CharField(max_length=MAX_CHANNEL_NAME_BYTES)
    url = models.CharField(max_length=MAX_URL_CHARACTERS)
    #: SHA-256 of the URL: databases index no texts as long as URLs can be.
    url_digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["realm", "channel", "url_digest"], name="request_subscription_once")
        ]

    def __str__(self) -> str:
        return f"{self.channel} → {self.url}"
