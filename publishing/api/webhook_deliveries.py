"""Deliveries of webhooks and the log of their attempts."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, Nothing, PageQuery, instant
from publishing.api.webhooks import EndpointResource
from publishing.models import WebhookAttempt, WebhookDelivery
from publishing.webhooks.replays import replay_delivery, send_test_event
from publishing.webhooks.selectors import get_delivery, list_attempts, list_deliveries
from realms.roles import Role
from realms.scopes import Scope


class DeliveryFields(Fields):
    """One event for one endpoint."""

    id = serializers.IntegerField()
    webhook = serializers.IntegerField(help_text="The endpoint.")
    webhook_id = serializers.CharField(help_text="The event's id, as `webhook-id` has it; the same in all attempts.")
    kind = serializers.CharField()
    channel = serializers.CharField(allow_blank=True)
    position = serializers.CharField(allow_blank=True, help_text="Of the item in its channel.")
    state = serializers.ChoiceField(choices=WebhookDelivery.State.values, help_text="`dead`: given up.")
    has_body = serializers.BooleanField(
        help_text="False: what was sent is not kept any more, a day after it was delivered, and can't be sent again."
    )
    attempts = serializers.IntegerField()
    replays = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="When it is tried next; null: it is over.")
    last_status = serializers.IntegerField(allow_null=True)
    last_cause = serializers.CharField(allow_blank=True, help_text="Why the last attempt failed, in a word.")
    event_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, row: WebhookDelivery) -> dict[str, Any]:
        """Return the members of the answer."""
        plain = (
            "webhook_id", "kind", "channel", "position", "state", "has_body", "attempts", "replays", "last_status",
            "last_cause",
        )  # fmt: skip
        is_waiting = row.state == WebhookDelivery.State.WAITING
        return {
            "id": row.pk,
            "webhook": row.endpoint_id,
            **{name: getattr(row, name) for name in plain},
            "due_at": instant(row.due_at) if is_waiting else None,
            "event_at": instant(row.event_at),
            "finished_at": instant(row.finished_at),
        }


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    webhook = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="Those of one endpoint."
    )
    state = serializers.ChoiceField(choices=WebhookDelivery.State.values, required=False)
    kind = serializers.CharField(required=False, max_length=24)
    channel = serializers.CharField(required=False, max_length=512, trim_whitespace=False)
    webhook_id = serializers.CharField(required=False, max_length=64)
    since = serializers.DateTimeField(required=False, help_text="Stored then or later.")
    until = serializers.DateTimeField(required=False, help_text="Stored before.")


class AttemptFields(Fields):
    """One call, and what came of it."""

    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    cause = serializers.CharField(allow_blank=True, help_text="Empty: delivered.")
    message = serializers.CharField(allow_blank=True, help_text="The cause as a sentence.")
    cure = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True, help_text="That was connected to.")
    dns_ms = serializers.FloatField(allow_null=True)
    connect_ms = serializers.FloatField(allow_null=True)
    tls_ms = serializers.FloatField(allow_null=True)
    first_byte_ms = serializers.FloatField(allow_null=True)
    total_ms = serializers.FloatField()
    events = serializers.IntegerField(help_text="In the call.")
    request_headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    response_headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))
    answer = serializers.CharField(allow_blank=True, help_text="The first 4 KiB of the body, as text.")

    def to_representation(self, row: WebhookAttempt) -> dict[str, Any]:
        """Return the members of the answer."""
        plain = [name for name in map(str, self.fields) if name != "started_at"]
        return {**{name: getattr(row, name) for name in plain}, "started_at": instant(row.started_at)}


class DeliveryList(RealmResource):
    """The deliveries of a realm."""

    operations = {
        "GET": Operation(
            "listWebhookDeliveries", "List deliveries of webhooks", Scope.WEBHOOKS_READ, Role.VIEWER,
            about="The newest first. `state=dead` lists what was given up.",
            answers=DeliveryFields, query=DeliveryQuery, has_pages=True,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of deliveries."""
        chosen = {name: value for name, value in self.query.items() if name not in ("cursor", "limit", "webhook")}
        return self.page(list_deliveries(self.realm, endpoint_id=self.query.get("webhook"), **chosen), order=("-pk",))


class DeliveryDetail(RealmResource):
    """One delivery."""

    operations = {
        "GET": Operation(
            "readWebhookDelivery", "Read a delivery of a webhook", Scope.WEBHOOKS_READ, Role.VIEWER,
            answers=DeliveryFields,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, delivery_id: int) -> Response:
        """Answer with the delivery."""
        return self.answer(get_delivery(self.realm, delivery_id))


class AttemptList(RealmResource):
    """The attempts of one delivery."""

    operations = {
        "GET": Operation(
            "listWebhookAttempts", "List attempts of a delivery", Scope.WEBHOOKS_READ, Role.VIEWER,
            about="The newest first, each with its times, its answer, and why it failed.",
            answers=AttemptFields, query=PageQuery, has_pages=True,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, delivery_id: int) -> Response:
        """Answer with a page of attempts."""
        return self.page(list_attempts(self.realm, delivery_id), order=("-pk",))


class DeliveryReplay(RealmResource):
    """Sending one delivery again."""

    operations = {
        "POST": Operation(
            "replayWebhookDelivery", "Send a delivery again", Scope.WEBHOOKS_WRITE,
            about="Under its own id. One that waits is sent now.",
            takes=Nothing, answers=DeliveryFields, is_repeatable=False,
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, delivery_id: int) -> Response:
        """Send it."""
        return self.answer(replay_delivery(realm=self.realm, delivery_id=delivery_id))


class EndpointTest(EndpointResource):
    """Sending an event to see whether an endpoint works."""

    operations = {
        "POST": Operation(
            "testWebhook", "Send a test event", Scope.WEBHOOKS_WRITE,
            about="An event of the kind `webhook.test`, sent as any other. Its delivery tells what came of it.",
            takes=Nothing, answers=DeliveryFields, status=201, is_repeatable=False,
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Send one."""
        return self.answer(send_test_event(realm=self.realm, endpoint_id=webhook_id))
