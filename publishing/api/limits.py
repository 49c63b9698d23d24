"""What a realm may use. Only an operator changes it (docs/decisions/0012)."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.directory import Rate
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields
from realms.limit_settings import apply_limits
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
                "own": sorted(self.realm.limits),
            }
        )


def _describe(name: str, rate: Rate | None) -> dict[str, Any]:
    return {f"{name}_per_s": rate and int(rate.per_s), f"{name}_burst": rate and rate.burst}
