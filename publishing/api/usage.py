"""What a realm uses, by UTC day."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.usage import Usage
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields
from realms.roles import Role
from realms.scopes import Scope
from realms.usage import DEFAULT_DAYS, MAX_DAYS, UsageReport, choose_range, read_usage


class RangeQuery(Fields):
    """Which days: both are part of the range."""

    is_text = True

    def get_fields(self) -> dict[str, Any]:
        """Return `from` and `to`, the first of which is a word of Python's."""
        return {
            "from": serializers.DateField(
                required=False, help_text=f"The first UTC day; else the range has {DEFAULT_DAYS} days."
            ),
            "to": serializers.DateField(required=False, help_text=f"The last; else today. {MAX_DAYS} days at most."),
        }


class FiguresFields(Fields):
    """What was used."""

    max_connected = serializers.IntegerField(help_text="The most connections and held requests at one moment.")
    client_activity = serializers.IntegerField(help_text="Requests, and minutes in which a WebSocket had messages.")
    client_minutes = serializers.IntegerField(help_text="How long requests and connections lasted, rounded up.")
    messages_received = serializers.IntegerField(help_text="Items published.")
    messages_delivered = serializers.IntegerField(help_text="Deliveries to subscribers.")
    total_ops = serializers.IntegerField(help_text="Client minutes and messages, but for those that answer long-polls.")

    def to_representation(self, usage: Usage) -> dict[str, Any]:
        """Return the members of the answer."""
        return describe_usage(usage)


class DayFields(FiguresFields):
    """One day."""

    day = serializers.DateField()


class UsageFields(Fields):
    """Every day of the range, the oldest first, and all of them together."""

    total = FiguresFields()
    days = DayFields(many=True)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields by the names that the query has for them."""
        return {"from": serializers.DateField(), "to": serializers.DateField(), **super().get_fields()}

    def to_representation(self, report: UsageReport) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "from": report.first.isoformat(),
            "to": report.last.isoformat(),
            "total": describe_usage(report.total),
            "days": [{"day": one.day.isoformat(), **describe_usage(one.usage)} for one in report.days],
        }


def describe_usage(usage: Usage) -> dict[str, int]:
    """Return the figures as they are called everywhere."""
    return {
        "max_connected": usage.max_connected,
        "client_activity": usage.client_activity,
        "client_minutes": usage.client_minutes,
        "messages_received": usage.received,
        "messages_delivered": usage.delivered,
        "total_ops": usage.total_ops,
    }


_EXAMPLE = {
    "max_connected": 2,
    "client_activity": 3,
    "client_minutes": 4,
    "messages_received": 1,
    "messages_delivered": 2,
    "total_ops": 7,
}


class RealmUsage(RealmResource):
    """What the realm used."""

    operations = {
        "GET": Operation(
            "readUsage", "Read usage", Scope.USAGE_READ, Role.VIEWER,
            about="By UTC day. Counts are stored every ten seconds.",
            answers=UsageFields, query=RangeQuery,
            answer_example={
                "from": "2026-11-23", "to": "2026-11-23", "total": _EXAMPLE,
                "days": [{"day": "2026-11-23", **_EXAMPLE}],
            },
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with the range's days."""
        first, last = choose_range(self.query.get("from"), self.query.get("to"))
        return self.answer(read_usage([self.realm], first, last))
