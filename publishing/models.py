"""Webhooks: who is called, what is to be delivered, and how each attempt went (docs/topics/webhooks.md)."""

from datetime import datetime

from django.db import models
from django.utils import timezone

from fanoutcloud.core.names import MAX_CHANNEL_NAME_BYTES
from publishing.webhooks.failing import say_cause
from publishing.webhooks.pace import ALL, Takes
from realms.models import Realm, RequestSubscription
from realms.models.webhooks import MAX_URL_CHARACTERS

MAX_LABEL_CHARACTERS = 80
MAX_CAUSE_CHARACTERS = 500


class WebhookEndpoint(models.Model):
    """A URL of a customer that is called with what happens in a realm."""

    class State(models.TextChoices):
        """What becomes of events for the endpoint."""

        ACTIVE = "active"  # they are sent
        PAUSED = "paused"  # they are kept and wait; one that was paused for failing is probed
        DISABLED = "disabled"  # they are not even kept

    class Format(models.TextChoices):
        """How items are sent."""

        AUTO = "auto"  # `http-request` where an item has it, else as an event with its `json-object`
        JSON_OBJECT = "json-object"  # as an event, always
        HTTP_REQUEST = "http-request"  # those that have this format, and no others

    class Pause(models.TextChoices):
        """Who paused or disabled it."""

        NOBODY = ""
        BY_HAND = "by-hand"
        FAILING = "failing"  # it has failed for a day, or five
        GONE = "gone"  # it answered 410

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="webhook_endpoints")
    #: The compatible API's registration that this is the endpoint of.
    subscription = models.OneToOneField(
        RequestSubscription, on_delete=models.CASCADE, null=True, blank=True, related_name="endpoint"
    )
    label = models.CharField(max_length=MAX_LABEL_CHARACTERS, blank=True)
    url = models.CharField(max_length=MAX_URL_CHARACTERS)
    patterns = models.JSONField()  # of channels, as `fanoutcloud.core.patterns` writes them
    events = models.JSONField()  # kinds
    format = models.CharField(max_length=12, choices=Format.choices, default=Format.AUTO)
    is_ordered = models.BooleanField(default=False)  # per channel, one after the other
    is_batched = models.BooleanField(default=False)  # up to 100 events of a second in one call
    timeout_s = models.PositiveSmallIntegerField(default=15)
    sealed_secret = models.TextField(blank=True)  # empty: not signed
    sealed_signing_key = models.TextField(blank=True)  # of ed25519, for `v1a`
    sealed_old_secret = models.TextField(blank=True)
    sealed_old_signing_key = models.TextField(blank=True)
    old_until = models.DateTimeField(null=True, blank=True)  # the old ones sign, too, until then
    sealed_headers = models.TextField(blank=True, db_default="")  # of its own, sent with each call; empty: none
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    paused_by = models.CharField(max_length=8, choices=Pause.choices, default=Pause.NOBODY, blank=True)
    state_reason = models.CharField(max_length=MAX_CAUSE_CHARACTERS, blank=True)
    state_since = models.DateTimeField(default=timezone.now)
    failures_in_row = models.PositiveIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    recent_attempts = models.JSONField(
        default=list, db_default=[], blank=True
    )  # as `publishing.webhooks.failing` has it
    poor_share = models.PositiveSmallIntegerField(
        null=True, blank=True
    )  # of the newest, in percent, while it is failing
    warned_at = models.DateTimeField(null=True, blank=True)  # that it will be disabled, if it goes on like this
    exhausted_told_at = models.DateTimeField(null=True, blank=True)  # that deliveries were given up
    missed_since = models.DateTimeField(null=True, blank=True)  # it was disabled from then on, and nothing was kept
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_problem = models.CharField(max_length=MAX_CAUSE_CHARACTERS, blank=True)
    is_blocked = models.BooleanField(default=False, db_default=False)  # the last attempt: its address is not allowed
    #: The circuit: while set, deliveries wait, and one is tried when it is over.
    rests_until = models.DateTimeField(null=True, blank=True)
    rests = models.PositiveSmallIntegerField(default=0)  # in a row; each is longer than the one before
    released_at = models.DateTimeField(null=True, blank=True)  # when the last rest ended well
    #: How much it takes: less where it answers that it has too much to do.
    calls_at_once = models.PositiveSmallIntegerField(default=ALL.at_once, db_default=ALL.at_once)
    calls_per_minute = models.PositiveSmallIntegerField(null=True, blank=True)  # empty: more than one a second
    #: The worker that calls it, and until when; nobody else does meanwhile.
    served_by = models.CharField(max_length=16, default="", db_default="", blank=True)
    served_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["realm", "id"], name="webhook_endpoint_of_realm")]

    def __str__(self) -> str:
        return self.label or self.url

    @property
    def failing_cause(self) -> str:
        """Return why it counts as failing, in words; empty: it does not."""
        return say_cause(self.failures_in_row, self.poor_share)

    @property
    def last_attempt_at(self) -> datetime | None:
        """Return when the last attempt ended; of an endpoint that is well, about when."""
        return max((at for at in (self.last_success_at, self.last_failure_at) if at is not None), default=None)

    @property
    def takes(self) -> Takes:
        """Return how much it takes."""
        return Takes(self.calls_at_once, self.calls_per_minute)

    def is_signed_by_old(self, now: datetime) -> bool:
        """Return whether the secret from before the last rotation signs, too."""
        return self.old_until is not None and now < self.old_until


class WebhookDelivery(models.Model):
    """One event for one endpoint: a row before anything else, so that no end of a process loses it.

    `due_at` is when it is to be tried; who tries it sets that to the end of a lease, so that the row of a worker that
    was killed is due again by itself.
    """

    class State(models.TextChoices):
        """Where it is."""

        WAITING = "waiting"
        DELIVERED = "delivered"
        DEAD = "dead"  # given up: can be replayed

    realm = models.ForeignKey(Realm, on_delete=models.CASCADE, related_name="webhook_deliveries")
    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    webhook_id = models.CharField(max_length=64)  # of the event; the same for all endpoints and attempts
    kind = models.CharField(max_length=24)
    channel = models.CharField(max_length=MAX_CHANNEL_NAME_BYTES, blank=True)
    position = models.CharField(max_length=64, blank=True)
    #: Those of an ordered endpoint that go one after the other have one key; others have none.
    order_key = models.CharField(max_length=32, blank=True)
    batch = models.CharField(max_length=64, blank=True)  # the id of the call that it shares with others
    method = models.CharField(max_length=8, default="POST")
    headers = models.JSONField(default=list, blank=True)  # pairs of an item's `http-request`
    body = models.BinaryField()
    has_body = models.BooleanField(default=True, db_default=True)  # not cut: it can be sent again
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField(default=timezone.now)
    claim = models.CharField(max_length=32, blank=True)  # of who tries it now
    attempts = models.PositiveIntegerField(default=0)  # ever
    tries = models.PositiveSmallIntegerField(default=0)  # since it was stored, or last replayed
    replays = models.PositiveSmallIntegerField(default=0)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_cause = models.CharField(max_length=20, blank=True)
    event_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["endpoint", "webhook_id"], name="webhook_delivery_once")]
        indexes = [
            models.Index(
                fields=["endpoint", "due_at"], condition=models.Q(state="waiting"), name="webhook_delivery_due"
            ),
            models.Index(
                fields=["endpoint", "order_key", "id"],
                condition=models.Q(state="waiting"),
                name="webhook_delivery_order",
            ),
            models.Index(fields=["realm", "id"], name="webhook_delivery_of_realm"),
            models.Index(fields=["endpoint", "id"], name="webhook_delivery_of_endpoint"),
            models.Index(fields=["realm", "id"], condition=models.Q(state="dead"), name="webhook_delivery_dead"),
            models.Index(
                fields=["created_at"], condition=models.Q(state="waiting"), name="webhook_delivery_waits_since"
            ),
            models.Index(
                fields=["created_at"], condition=models.Q(finished_at__isnull=False), name="webhook_delivery_over"
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state="delivered", has_body=True),
                name="webhook_delivery_body",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.webhook_id} ({self.state})"


class WebhookAttempt(models.Model):
    """One call of one delivery, or of a batch: then it is kept with the first of its deliveries."""

    delivery = models.ForeignKey(WebhookDelivery, on_delete=models.CASCADE, related_name="attempt_log")
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    #: Milliseconds; None where it did not come to that. `first_byte_ms` is the head of the answer.
    dns_ms = models.FloatField(null=True, blank=True)
    connect_ms = models.FloatField(null=True, blank=True)
    tls_ms = models.FloatField(null=True, blank=True)
    first_byte_ms = models.FloatField(null=True, blank=True)
    total_ms = models.FloatField()
    address = models.CharField(max_length=64, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    cause = models.CharField(max_length=20, blank=True)  # a word of a closed set; empty: delivered
    message = models.CharField(max_length=MAX_CAUSE_CHARACTERS, blank=True)  # the cause as a sentence
    cure = models.CharField(max_length=MAX_CAUSE_CHARACTERS, blank=True)
    events = models.PositiveSmallIntegerField(default=1)  # in the call
    request_headers = models.JSONField(default=list, blank=True)
    response_headers = models.JSONField(default=list, blank=True)
    answer = models.TextField(blank=True)  # the first 4 KiB, as text

    class Meta:
        indexes = [models.Index(fields=["started_at"], name="webhook_attempt_age")]

    def __str__(self) -> str:
        return f"attempt {self.number}: {self.status or self.cause}"


class HistoryReplay(models.Model):
    """An errand: to send an endpoint what the history of its channels holds. A worker does it, in steps."""

    endpoint = models.ForeignKey(WebhookEndpoint, on_delete=models.CASCADE, related_name="history_replays")
    since = models.DateTimeField()
    is_missed = models.BooleanField()  # while it was disabled: events keep their ids; else they get new ones
    asked_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(default=timezone.now)  # somebody does it until then
    stored = models.PositiveIntegerField(default=0)  # deliveries
    is_cut = models.BooleanField(default=False)  # there was more than is sent at once
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["lease_until"], condition=models.Q(finished_at=None), name="history_replay_due"),
            models.Index(fields=["endpoint", "id"], name="history_replay_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"history since {self.since:%Y-%m-%d %H:%M}"


class Inspector(models.Model):
    """A URL of this installation that shows what is sent to it, and the endpoint that is called there.

    Whoever knows the name may send, so that is a secret of a kind.
    """

    endpoint = models.OneToOneField(WebhookEndpoint, on_delete=models.CASCADE, related_name="inspector")
    name = models.CharField(max_length=32, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    seen_at = models.DateTimeField(default=timezone.now)  # when somebody last looked at what came

    class Meta:
        indexes = [models.Index(fields=["seen_at"], name="inspector_age")]

    def __str__(self) -> str:
        return self.name


class InspectedRequest(models.Model):
    """A request that came to an inspector. Only the newest are kept, and those for a day."""

    inspector = models.ForeignKey(Inspector, on_delete=models.CASCADE, related_name="requests")
    at = models.DateTimeField(default=timezone.now)
    method = models.CharField(max_length=16)
    query = models.CharField(max_length=1024, blank=True)
    headers = models.JSONField(default=list)  # pairs
    body = models.BinaryField()
    verdict = models.CharField(max_length=8)  # `valid`, `invalid` or `unsigned`
    problem = models.CharField(max_length=200, blank=True)  # why it is not valid

    class Meta:
        indexes = [models.Index(fields=["at"], name="inspected_request_age")]

    def __str__(self) -> str:
        return f"{self.method} at {self.at:%H:%M:%S}: {self.verdict}"
