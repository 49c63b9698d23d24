"""Sending an endpoint of webhooks what the history of its channels holds."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.serializers import Fields, PageQuery, instant
from publishing.api.webhooks import EndpointResource
from publishing.models import HistoryReplay
from publishing.webhooks.history_replays import ask_for_history
from publishing.webhooks.selectors import list_history_replays
from realms.roles import Role
from realms.scopes import Scope


class HistoryBody(Fields):
    """Since when."""

    since = serializers.DateTimeField(
        required=False,
        help_text="Everything since then, under new ids that follow from it. Without: what the endpoint missed while "
        "it was disabled, under the ids that the events have anyway.",
    )


class HistoryReplayFields(Fields):
    """A replay of history, done by a worker."""

    id = serializers.IntegerField()
    since = serializers.DateTimeField()
    is_missed = serializers.BooleanField(help_text="Of what the endpoint missed while it was disabled.")
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True, help_text="null: it is under way.")
    stored = serializers.IntegerField(help_text="Deliveries that came of it so far.")
    is_cut = serializers.BooleanField(help_text="There was more than is sent at once: ask since a later moment.")

    def to_representation(self, row: HistoryReplay) -> dict[str, Any]:
        """Return the members of the answer."""
        times = {name: instant(getattr(row, name)) for name in ("since", "asked_at", "finished_at")}
        return {"id": row.pk, **times, "is_missed": row.is_missed, "stored": row.stored, "is_cut": row.is_cut}


class EndpointHistory(EndpointResource):
    """Replays of history."""

    operations = {
        "GET": Operation(
            "listWebhookHistoryReplays", "List replays of history", Scope.WEBHOOKS_READ, Role.VIEWER,
            about="The newest first.", answers=HistoryReplayFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "replayWebhookHistory", "Send what history holds", Scope.WEBHOOKS_WRITE,
            about="Items that the channels of the endpoint keep become new deliveries. To ask for the same again sends "
            "nothing twice.",
            takes=HistoryBody, answers=HistoryReplayFields, status=202, is_repeatable=False,
            example={"since": "2026-01-01T00:00:00Z"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Answer with a page of them."""
        return self.page(list_history_replays(self.realm, webhook_id), order=("-pk",))

    def post(self, request: Request, realm_id: str, webhook_id: int) -> Response:
        """Ask for one."""
        return self.answer(ask_for_history(realm=self.realm, endpoint_id=webhook_id, since=self.body.get("since")))
