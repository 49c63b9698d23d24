"""Keys of a realm."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, LabelField, Nothing, PageQuery, instant
from realms.models import ApiKey
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import get_live_key, list_live_keys, site_urls
from realms.services import issue_api_key, reveal_api_key, revoke_api_key


class KeyFields(Fields):
    """A live key, without its secret."""

    id = serializers.IntegerField()
    hint = serializers.CharField(help_text="The last characters of the key, to tell keys apart.")
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a declared field
    created_at = serializers.DateTimeField()

    def to_representation(self, key: ApiKey) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"id": key.pk, "hint": key.hint, "label": key.label, "created_at": instant(key.created_at)}


class SecretFields(Fields):
    """What a key's holder must keep to themselves."""

    key = serializers.CharField(help_text="The key: Base64 text.")
    grip_url = serializers.CharField(help_text="The one setting that GRIP libraries ask for; holds the key.")


class NewKeyFields(KeyFields):
    """A new key with its secret."""

    key = serializers.CharField(help_text="The key: Base64 text.")
    grip_url = serializers.CharField(help_text="The one setting that GRIP libraries ask for; holds the key.")


class KeyBody(Fields):
    """What can be chosen of a key."""

    label = LabelField()  # type: ignore[assignment]  # a declared field


class _KeyResource(RealmResource):
    def secrets(self, secret: str) -> dict[str, str]:
        """Return what holds the key."""
        return {"key": secret, "grip_url": site_urls(self.realm).grip_url(secret)}


class KeyList(_KeyResource):
    """The keys of a realm."""

    operations = {
        "GET": Operation(
            "listKeys",
            "List keys",
            Scope.KEYS_READ,
            Role.VIEWER,
            answers=KeyFields,
            query=PageQuery,
            has_pages=True,
        ),
        "POST": Operation(
            "issueKey",
            "Issue a key",
            Scope.KEYS_WRITE,
            about="Those that the realm has stay live, so that changing keys leaves no gap.",
            takes=KeyBody,
            answers=NewKeyFields,
            status=201,
            example={"label": "web servers"},
        ),
    }

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of live keys, the oldest first."""
        return self.page(list_live_keys(self.realm), order=("created_at", "pk"))

    def post(self, request: Request, realm_id: str) -> Response:
        """Issue one."""
        issued = issue_api_key(realm=self.realm, issued_by=self.actor.user, label=self.body.get("label", ""))
        response = Response({**KeyFields(issued.key).data, **self.secrets(issued.secret)}, status=201)
        response["Location"] = reverse("api:key", args=[self.realm.pk, issued.key.pk])
        return response


class KeyDetail(_KeyResource):
    """One key."""

    has_state = True

    operations = {
        "GET": Operation("readKey", "Read a key", Scope.KEYS_READ, Role.VIEWER, answers=KeyFields),
        "DELETE": Operation(
            "revokeKey",
            "Revoke a key",
            Scope.KEYS_WRITE,
            Role.ADMIN,
            about="For good. The last live key of a realm can't be revoked.",
            status=204,
        ),
    }

    def current(self) -> Any:
        """Return the key as GET does."""
        return KeyFields(get_live_key(self.realm, self.kwargs["key_id"])).data

    def get(self, request: Request, realm_id: str, key_id: int) -> Response:
        """Answer with the key."""
        return self.answer(get_live_key(self.realm, key_id))

    def delete(self, request: Request, realm_id: str, key_id: int) -> Response:
        """Revoke it."""
        revoke_api_key(realm=self.realm, key_id=key_id)
        return Response(status=204)


class KeySecret(_KeyResource):
    """The secret of one key, shown on request alone."""

    operations = {
        "POST": Operation(
            "revealKey", "Reveal a key", Scope.KEYS_REVEAL, takes=Nothing, answers=SecretFields, is_repeatable=False
        ),
    }

    def post(self, request: Request, realm_id: str, key_id: int) -> Response:
        """Answer with the secret."""
        return Response(self.secrets(reveal_api_key(realm=self.realm, key_id=key_id)))
