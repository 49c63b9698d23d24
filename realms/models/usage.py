"""What realms have used, by UTC day."""

from django.db import models

from realms.models.realms import Realm


class UsageDay(models.Model):
    """What a realm used on a day; all processes add to it."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="usage")
    day = models.DateField()
    max_connected = models.BigIntegerField(default=0)
    client_activity = models.BigIntegerField(default=0)
    client_minutes = models.BigIntegerField(default=0)
    received = models.BigIntegerField(default=0)
    delivered = models.BigIntegerField(default=0)
    delivered_to_polls = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "day"], name="usage_once_a_day")]

    def __str__(self) -> str:
        return f"{self.realm_id} on {self.day}"


class ConnectedCount(models.Model):
    """How many connections of a realm a process had when it said so last: what others add theirs to."""

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="connected_counts")
    process = models.CharField(max_length=32)
    connected = models.BigIntegerField()
    said_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["realm", "process"], name="connected_once_a_process")]
        indexes = [models.Index(fields=["said_at"], name="connected_by_age")]

    def __str__(self) -> str:
        return f"{self.connected} of {self.realm_id} at {self.process}"
