"""The audit log: who changed what in a realm."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery, instant
from realms.audit import Action
from realms.models import AuditEntry
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import list_audit_entries

_ACTIONS = [(action.value, action.value) for action in Action]


class EntryFields(Fields):
    """One change."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    action = serializers.CharField(help_text="Such as `key.issued`.")
    thing = serializers.CharField(allow_blank=True, help_text="What was changed, for people; never a secret.")
    actor = serializers.CharField(
        allow_blank=True, help_text="The credential: `user:3`, `token:17`, `key:4`, or `system`."
    )
    actor_name = serializers.CharField(allow_blank=True, help_text="As it was called then.")
    address = serializers.CharField(allow_null=True, help_text="Where the request came from.")

    def to_representation(self, row: AuditEntry) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "id": row.pk,
            "at": instant(row.at),
            "action": row.action,
            "thing": row.thing,
            "actor": row.actor,
            "actor_name": row.actor_name,
            "address": row.address,
        }


class AuditQuery(PageQuery):
    """Which changes."""

    action = serializers.ChoiceField(choices=_ACTIONS, required=False, default="")
    actor = serializers.CharField(required=False, default="", max_length=100, help_text="A credential's id.")
    since = serializers.DateTimeField(required=False, default=None, help_text="Not those before.")
    until = serializers.DateTimeField(required=False, default=None, help_text="Only those before.")


class AuditLog(RealmResource):
    """What was changed."""

    operations = {
        "GET": Operation(
            "listChanges", "List who changed what", Scope.AUDIT_READ, Role.ADMIN,
            about="The newest first; kept for 90 days.", answers=EntryFields, query=AuditQuery, has_pages=True,
        )
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of changes."""
        chosen = {name: self.query[name] for name in ("action", "actor", "since", "until")}
        return self.page(list_audit_entries(self.realm, **chosen), order=("-pk",))
