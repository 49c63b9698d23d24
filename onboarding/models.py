"""How far somebody has come with a realm's quick start."""

from django.db import models

from realms.models import Realm


class QuickStartProgress(models.Model):
    """When the server first saw each step of a realm's quick start happen. A time never changes again."""

    realm = models.OneToOneField(Realm, on_delete=models.CASCADE, primary_key=True, related_name="quick_start_progress")
    subscribed_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # The second path, for those who have a web application:
    passed_on_at = models.DateTimeField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    pushed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"quick start of {self.realm_id}"
