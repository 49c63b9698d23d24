"""What a realm may use. Only an operator changes it (docs/decisions/0012)."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.directory import Rate
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields
from realms.limit_settings import apply_limits, find_webhook_log_s
from realms.roles import Role
from realms.scopes import Scope
from realms.snapshots import default_limits


class LimitFields(Fields):
    """Limits in force; null: no limit."""

    connections = serializers.IntegerField(allow_null=True, help_text="Subscribers at once.")
    channels = serializers.IntegerField(allow_null=True, help_text="Channels subscribed at once.")
    item_bytes = serializers.IntegerField(allow_null=True, help_text="Content of one item.")
    publish_items_per_s = serializers.IntegerField(allow_null=True)
    publish_items_burst = serializers.IntegerField(allow_null=True, help_text="Items at once.")
    egress_bytes_per_s = serializers.IntegerField(allow_null=True, help_text="Bytes written to subscribers.")
    egress_bytes_burst = serializers.IntegerField(allow_null=True, help_text="Bytes at once.")
    webhook_log_s = serializers.IntegerField(
        allow_null=True, help_text="For so long deliveries of webhooks that are over are kept, and their log."
    )
    own = serializers.ListField(
        child=serializers.CharField(), help_text="Those that an operator has set for this realm."
    )


class Limits(RealmResource):
    """What the realm may use."""

    operations = {
        "GET": Operation(
            "readLimits", "Read what a realm may use", Scope.RULES_READ, Role.VIEWER,
            about="Limits that are in force, be they the installation's or set for this realm by an operator.",
            answers=LimitFields,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with the limits."""
        limits = apply_limits(self.realm.limits, default_limits())
        return Response(
            {
                "connections": limits.connections,
                "channels": limits.channels,
                "item_bytes": limits.item_bytes,
                **_describe("publish_items", limits.publish_items),
                **_describe("egress_bytes", limits.egress_bytes),
                "webhook_log_s": _webhook_log_s(self.realm.limits),
                "own": sorted(self.realm.limits),
            }
        )


def _webhook_log_s(document: Mapping[str, Any]) -> int | None:  # Any: JSON
    own = find_webhook_log_s(document)
    return int(settings.WEBHOOK_RETENTION_S) if own is None else own or None


def _describe(name: str, rate: Rate | None) -> dict[str, Any]:
    return {f"{name}_per_s": rate and int(rate.per_s), f"{name}_burst": rate and rate.burst}
