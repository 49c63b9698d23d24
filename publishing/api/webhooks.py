"""Webhook endpoints of a realm: URLs of a customer that are called with what happens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, LabelField, Nothing, PageQuery, instant
from publishing.api.webhook_fields import HeadersField, KindsField, PatternsField
from publishing.models import WebhookEndpoint
from publishing.webhooks import endpoints, replays
from publishing.webhooks.endpoints import MAX_OVERLAP, OVERLAP, TIMEOUTS_S, EndpointSecrets
from publishing.webhooks.own_headers import show_headers
from publishing.webhooks.selectors import get_endpoint, list_endpoints
from realms.models.webhooks import MAX_URL_CHARACTERS
from realms.roles import Role
from realms.scopes import Scope

EXAMPLE = {"url": "https://hooks.example.com/fanout", "patterns": ["orders.*"], "events": ["channel.message"]}


class EndpointBody(Fields):
    """What can be chosen of an endpoint."""

    url = serializers.CharField(max_length=MAX_URL_CHARACTERS, help_text="`https://…`; redirects are not followed.")
    label = LabelField()  # type: ignore[assignment]  # a declared field
    patterns = PatternsField()
    events = KindsField()
    format = serializers.ChoiceField(
        choices=WebhookEndpoint.Format.values,
        required=False,
        help_text="`auto` sends an item's `http-request` where it has one, else an event with its `json-object`.",
    )
    is_ordered = serializers.BooleanField(required=False, help_text="One after the other on each channel.")
    is_batched = serializers.BooleanField(required=False, help_text="Up to 100 events of a second in one call.")
    has_v1a = serializers.BooleanField(required=False, help_text="Sign with ed25519, too.")
    timeout_s = serializers.IntegerField(
        required=False, min_value=TIMEOUTS_S[0], max_value=TIMEOUTS_S[1], help_text="Of one call, with everything."
    )
    headers = HeadersField(
        help_text="Sent with each call, by name: 32 of 8 KiB together at most. They replace those before; a value of "
        "`…` leaves one as it is, unless the URL is another server's."
    )


class EndpointFields(Fields):
    """An endpoint, what is set for it, and how it is."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a declared field
    patterns = serializers.ListField(child=serializers.CharField())
    events = serializers.ListField(child=serializers.CharField())
    format = serializers.CharField()
    is_ordered = serializers.BooleanField()
    is_batched = serializers.BooleanField()
    has_v1a = serializers.BooleanField()
    timeout_s = serializers.IntegerField()
    headers = serializers.DictField(child=serializers.CharField(), help_text="Names; the values are hidden (`…`).")
    state = serializers.ChoiceField(choices=WebhookEndpoint.State.values)
    paused_by = serializers.CharField(allow_blank=True, help_text="`by-hand`, `failing` or `gone`; empty: nobody.")
    state_reason = serializers.CharField(allow_blank=True)
    state_since = serializers.DateTimeField()
    rests_until = serializers.DateTimeField(
        allow_null=True, help_text="It has failed several times in a row: it is tried again then."
    )
    failing_cause = serializers.CharField(
        allow_blank=True,
        help_text="Why it counts as failing: ten attempts failed in a row, or less than a fifth of 50 within ten "
        "minutes succeeded. One success ends it. Empty: it is not failing.",
    )
    failures_in_row = serializers.IntegerField()
    failing_since = serializers.DateTimeField(allow_null=True)
    missed_since = serializers.DateTimeField(
        allow_null=True, help_text="It was disabled from then on; what it missed can be sent (`…/history`)."
    )
    last_success_at = serializers.DateTimeField(allow_null=True)
    last_failure_at = serializers.DateTimeField(allow_null=True)
    last_problem = serializers.CharField(allow_blank=True)
    calls_at_once = serializers.IntegerField(
        help_text="It takes so many calls at once, of all workers: ten, less where it answers 429 or 5xx."
    )
    calls_per_minute = serializers.IntegerField(
        allow_null=True, help_text="Where one call at a time is too much for it, so many in a minute; else null."
    )
    is_blocked = serializers.BooleanField(help_text="Its address is not allowed; it was not called.")
    old_secret_until = serializers.DateTimeField(
        allow_null=True, help_text="The secret from before the last rotation signs, too, until then."
    )
    created_at = serializers.DateTimeField()

    def to_representation(self, row: WebhookEndpoint) -> dict[str, Any]:
        """Return the members of the answer."""
        plain = (
            "url", "label", "patterns", "events", "format", "is_ordered", "is_batched", "timeout_s", "state",
            "paused_by", "state_reason", "failing_cause", "failures_in_row", "last_problem", "calls_at_once",
            "calls_per_minute", "is_blocked",
        )  # fmt: skip
        times = (
            "state_since", "rests_until", "failing_since", "missed_since", "last_success_at", "last_failure_at",
            "created_at",
        )  # fmt: skip
        return {
            "id": row.pk,
            **{name: getattr(row, name) for name in plain},
            "has_v1a": bool(row.sealed_signing_key),
            "headers": show_headers(row.sealed_headers),
            **{name: instant(getattr(row, name)) for name in times},
            "old_secret_until": instant(row.old_until),
        }


class EndpointSecretFields(Fields):
    """What receivers check signatures with."""

    secret = serializers.CharField(help_text="`whsec_…` of `v1`. Keep it to yourself.")
    public_key = serializers.CharField(allow_blank=True, help_text="`whpk_…` of `v1a`; empty without it.")

    def to_representation(self, secrets: EndpointSecrets) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"secret": secrets.secret, "public_key": secrets.public_key}


class NewEndpointFields(EndpointFields):
    """A new endpoint with its secret."""

    secret = serializers.CharField(help_text="`whsec_…` of `v1`. Keep it to yourself.")
    public_key = serializers.CharField(allow_blank=True, help_text="`whpk_…` of `v1a`; empty without it.")

    def to_representation(self, created: Any) -> dict[str, Any]:  # Any: a CreatedEndpoint, which is no row
        """Return the members of the answer."""
        shown = EndpointSecretFields().to_representation(created.secrets)
        return {**super().to_representation(created.endpoint), **shown}


class RotateBody(Fields):
    """How secrets are changed."""

    overlap_s = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=int(MAX_OVERLAP.total_seconds()),
        help_text="The old secret signs, too, for so long; without, a day. 0 after a leak.",
    )


class ReplayBody(Fields):
    """What is sent again."""

    since = serializers.DateTimeField(help_text="What is older stays.")
    only_dead = serializers.BooleanField(required=False, help_text="Without, true: what arrived is not sent again.")


class ReplayedFields(Fields):
    """What came of it."""

    count = serializers.IntegerField(help_text="Deliveries that are sent again.")


class EndpointResource(RealmResource):
    """A resource of one endpoint."""

    @property
    def row(self) -> WebhookEndpoint:
        """The endpoint that the address names."""
        return get_endpoint(self.realm, self.kwargs["webhook_id"])


class EndpointList(RealmResource):
    """The endpoints of a realm."""

    operations = {
        "GET": Operation(
            "listWebhooks", "List webhooks", Scope.WEBHOOKS_READ, Role.VIEWER,
            answers=EndpointFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "addWebhook", "Add a webhook", Scope.WEBHOOKS_WRITE,
            about="It is called with what happens from now on, signed as Standard Webhooks has it.",
            takes=EndpointBody, answers=NewEndpointFields, status=201, example=EXAMPLE,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of endpoints, the oldest first."""
        return self.page(list_endpoints(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        created = endpoints.create_endpoint(realm=self.realm, **self.body)
        return self.answer(created, location=reverse("api:webhook", args=[self.realm.pk, created.endpoint.pk]))


class EndpointDetail(EndpointResource):
    """One endpoint."""

    has_state = True
    operations = {
        "GET": Operation("readWebhook", "Read a webhook", Scope.WEBHOOKS_READ, Role.VIEWER, answers=EndpointFields),
        "PATCH": Operation(
            "changeWebhook", "Change a webhook", Scope.WEBHOOKS_WRITE,
            about="What is left out stays. What waits already goes to the new URL.",
            takes=EndpointBody, answers=EndpointFields, example={"label": "orders", "is_ordered": True},
        ),
        "DELETE": Operation(
            "removeWebhook", "Remove a webhook", Scope.WEBHOOKS_WRITE,
            about="With its deliveries and the log of their attempts.", status=204,
        ),
    }  # fmt: skip

    def current(self) -> Any:
        """Return the endpoint as GET does."""
        return EndpointFields(self.row).data

    def get(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Answer with the endpoint."""
        return self.answer(self.row)

    def patch(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Change what came."""
        return self.answer(endpoints.change_endpoint(realm=self.realm, endpoint_id=webhook_id, changes=self.body))

    def delete(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Remove it."""
        endpoints.remove_endpoint(realm=self.realm, endpoint_id=webhook_id)
        return Response(status=204)


class EndpointSecret(EndpointResource):
    """The secrets of an endpoint, shown on request alone."""

    operations = {
        "POST": Operation(
            "revealWebhook", "Reveal a webhook's secret", Scope.WEBHOOKS_REVEAL, about="The audit log notes it.",
            takes=Nothing, answers=EndpointSecretFields, is_repeatable=False,
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Answer with the secrets."""
        return self.answer(endpoints.reveal_secrets(realm=self.realm, endpoint_id=webhook_id))


class EndpointRotation(EndpointResource):
    """New secrets for an endpoint."""

    operations = {
        "POST": Operation(
            "rotateWebhook", "Rotate a webhook's secret", Scope.WEBHOOKS_WRITE,
            about="Both secrets sign until the overlap is over, so that receivers can change theirs without a gap.",
            takes=RotateBody, answers=EndpointSecretFields, is_repeatable=False, example={"overlap_s": 86_400},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Answer with the new secrets."""
        overlap = timedelta(seconds=self.body.get("overlap_s", OVERLAP.total_seconds()))
        return self.answer(endpoints.rotate_secret(realm=self.realm, endpoint_id=webhook_id, overlap=overlap))


class _EndpointChange(EndpointResource):
    """A resource to which a POST changes the endpoint's state, and answers with the endpoint."""

    change: Callable[..., WebhookEndpoint]  # takes `realm` and `endpoint_id`; of a class, as a static method

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Change it."""
        return self.answer(self.change(realm=self.realm, endpoint_id=webhook_id))


class EndpointPause(_EndpointChange):
    """Having nothing sent to an endpoint for a while."""

    operations = {
        "POST": Operation(
            "pauseWebhook", "Pause a webhook", Scope.WEBHOOKS_WRITE, about="What happens is kept for it, and waits.",
            takes=Nothing, answers=EndpointFields,
        )
    }  # fmt: skip
    change = staticmethod(endpoints.pause_endpoint)


class EndpointDisabling(_EndpointChange):
    """Having nothing sent to an endpoint, and nothing kept for it."""

    operations = {
        "POST": Operation(
            "disableWebhook", "Disable a webhook", Scope.WEBHOOKS_WRITE, about="Nothing is kept for it meanwhile.",
            takes=Nothing, answers=EndpointFields,
        )
    }  # fmt: skip
    change = staticmethod(endpoints.disable_endpoint)


class EndpointResumption(_EndpointChange):
    """Going on with an endpoint."""

    operations = {
        "POST": Operation(
            "resumeWebhook", "Resume a webhook", Scope.WEBHOOKS_WRITE, about="What waits is sent at once.",
            takes=Nothing, answers=EndpointFields,
        )
    }  # fmt: skip
    change = staticmethod(endpoints.resume_endpoint)


class EndpointReplay(EndpointResource):
    """Sending again what was given up, or all, since a moment."""

    operations = {
        "POST": Operation(
            "replayWebhook", "Send again since a moment", Scope.WEBHOOKS_WRITE,
            about="What waits is left alone. Ids stay, so receivers can notice what they have already.",
            takes=ReplayBody, answers=ReplayedFields, is_repeatable=False,
            example={"since": "2026-01-01T00:00:00Z", "only_dead": True},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Send again."""
        count = replays.replay_since(
            realm=self.realm,
            endpoint_id=webhook_id,
            since=self.body["since"],
            only_dead=self.body.get("only_dead", True),
        )
        return Response({"count": count})
