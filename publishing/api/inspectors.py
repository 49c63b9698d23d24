"""Inspectors: URLs of this installation that keep what is sent to them, for whoever has no server that we can reach."""

from base64 import b64encode
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery, instant
from publishing.api.webhook_fields import KindsField, PatternsField
from publishing.inspector import services
from publishing.models import InspectedRequest, Inspector
from realms.roles import Role
from realms.scopes import Scope

MAX_REQUESTS = 20


class InspectorBody(Fields):
    """What it is called with."""

    patterns = PatternsField()
    events = KindsField()


class InspectorFields(Fields):
    """An inspector."""

    id = serializers.IntegerField()
    url = serializers.CharField(help_text="What is sent there is kept. Whoever knows it may send.")
    webhook = serializers.IntegerField(help_text="The endpoint that is called there; it goes with the inspector.")
    newest = serializers.IntegerField(help_text="Id of the newest request; 0: none came.")
    created_at = serializers.DateTimeField()

    def to_representation(self, row: Inspector) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": row.pk,
            "url": services.inspector_url(row),
            "webhook": row.endpoint_id,
            "newest": services.newest_request(row),
            "created_at": instant(row.created_at),
        }


class InspectedFields(Fields):
    """A request as it came."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    method = serializers.CharField()
    query = serializers.CharField(allow_blank=True)
    headers = serializers.ListField(child=serializers.ListField(child=serializers.CharField(allow_blank=True)))
    body = serializers.CharField(allow_blank=True, help_text="Base64: the bytes that were signed.")
    verdict = serializers.ChoiceField(choices=["valid", "invalid", "unsigned"], help_text="Of the signature.")
    problem = serializers.CharField(allow_blank=True, help_text="Why it is not valid.")

    def to_representation(self, row: InspectedRequest) -> dict[str, Any]:
        """Return the members of the answer."""
        plain = ("method", "query", "headers", "verdict", "problem")
        shown = {name: getattr(row, name) for name in plain}
        return {"id": row.pk, "at": instant(row.at), **shown, "body": b64encode(bytes(row.body)).decode()}


class InspectedList(Fields):
    """What came, the oldest first."""

    items = InspectedFields(many=True)


class FollowQuery(Fields):
    """What came behind what is known."""

    is_text = True

    after = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=2**63 - 1, help_text="Id of the last one that is known."
    )


class _InspectorResource(RealmResource):
    @property
    def row(self) -> Inspector:
        """The inspector that the address names."""
        return services.get_inspector(self.realm, self.kwargs["inspector_id"])


class InspectorList(RealmResource):
    """The inspectors of a realm."""

    operations = {
        "GET": Operation(
            "listInspectors", "List inspectors", Scope.WEBHOOKS_READ, Role.VIEWER,
            answers=InspectorFields, query=PageQuery, has_pages=True,
        ),
        "POST": Operation(
            "openInspector", "Open an inspector", Scope.WEBHOOKS_WRITE,
            about="A URL of ours, and an endpoint that is called there: webhooks without a server. It keeps the newest "
            "100 requests of a day, and ends when nobody has looked for 3 days.",
            takes=InspectorBody, answers=InspectorFields, status=201, example={"patterns": ["orders.*"]},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of inspectors."""
        return self.page(services.list_inspectors(self.realm))

    def post(self, request: Request, realm_id: str) -> Response:
        """Open one."""
        row = services.open_inspector(realm=self.realm, **self.body)
        return self.answer(row, location=reverse("api:inspector", args=[self.realm.pk, row.pk]))


class InspectorDetail(_InspectorResource):
    """One inspector."""

    operations = {
        "GET": Operation(
            "readInspector", "Read an inspector", Scope.WEBHOOKS_READ, Role.VIEWER, answers=InspectorFields
        ),
        "DELETE": Operation(
            "closeInspector", "Close an inspector", Scope.WEBHOOKS_WRITE, about="With its endpoint.", status=204
        ),
    }

    def get(self, request: Request, realm_id: str, inspector_id: int) -> Response:
        """Answer with the inspector."""
        return self.answer(self.row)

    def delete(self, request: Request, realm_id: str, inspector_id: int) -> Response:
        """Close it."""
        services.close_inspector(realm=self.realm, inspector_id=inspector_id)
        return Response(status=204)


class InspectedRequests(_InspectorResource):
    """What came to an inspector."""

    operations = {
        "GET": Operation(
            "followInspector", "Follow an inspector", Scope.WEBHOOKS_READ, Role.VIEWER,
            about="What came behind `after`, the oldest first, 20 at most. Ask again with the last id, every second.",
            answers=InspectedList, query=FollowQuery,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, inspector_id: int) -> Response:
        """Answer with what came."""
        found = services.list_requests(self.row, after=self.query["after"]).order_by("pk")[:MAX_REQUESTS]
        return Response({"items": InspectedFields(found, many=True).data})
