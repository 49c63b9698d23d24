"""How far somebody has come with a realm's quick start, and what the status page shows."""

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


class Probe(models.Model):
    """What came of one item that was published to see whether it arrives (`onboarding.status`)."""

    at = models.DateTimeField(db_index=True)
    transport = models.CharField(max_length=20)
    took_ms = models.PositiveIntegerField(null=True, blank=True)  # from publishing to receiving; None: it did not come
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["transport", "-at"], name="probe_of_transport")]

    def __str__(self) -> str:
        return f"{self.transport}: {self.problem or self.took_ms}"


class ProbeDay(models.Model):
    """All probes of one transport on one UTC day."""

    day = models.DateField()
    transport = models.CharField(max_length=20)
    probes = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    slowest_ms = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "transport"], name="probe_day_once")]

    def __str__(self) -> str:
        return f"{self.day} {self.transport}"
