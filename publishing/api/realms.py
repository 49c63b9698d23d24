"""Realms."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import RealmResource, Resource
from publishing.api.serializers import Fields, LabelField, PageQuery, instant
from realms.models import Realm
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import list_realms_as, site_urls
from realms.services import create_realm, delete_realm, label_realm


class RealmFields(Fields):
    """A realm, and where it is reached."""

    id = serializers.CharField()
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a declared field
    role = serializers.ChoiceField(choices=Role.choices, help_text="Your role in it.")
    created_at = serializers.DateTimeField()
    site = serializers.URLField(help_text="Where subscribers reach it, on the host of this installation.")
    host = serializers.URLField(help_text="Where subscribers reach it, on its own host.")
    api = serializers.URLField(help_text="Where publishers reach it.")

    def to_representation(self, realm: Realm) -> dict[str, Any]:
        """Return the members of the answer."""
        urls = site_urls(realm)
        return {
            "id": realm.pk,
            "label": realm.label,
            "role": realm.role,
            "created_at": instant(realm.created_at),
            "site": urls.path_form,
            "host": urls.host_form,
            "api": urls.api,
        }


class NewRealmFields(RealmFields):
    """A new realm with its first key."""

    key = serializers.CharField(help_text="The secret of its first key; keys/{key}/reveal shows it again.")
    grip_url = serializers.CharField(help_text="The one setting that GRIP libraries ask for; holds the key.")


class LabelBody(Fields):
    """What can be chosen of a realm."""

    label = LabelField()  # type: ignore[assignment]  # a declared field


class RealmList(Resource):
    """All realms that the credential opens."""

    operations = {
        "GET": Operation(
            "listRealms", "List realms", Scope.REALMS_READ, answers=RealmFields, query=PageQuery, has_pages=True
        ),
        "POST": Operation(
            "createRealm",
            "Create a realm",
            Scope.REALMS_WRITE,
            about="You own it. It has one key, whose secret is in the answer.",
            takes=LabelBody,
            answers=NewRealmFields,
            status=201,
            needs_person=True,
            example={"label": "staging"},
        ),
    }

    def get(self, request: Request) -> Response:
        """Answer with a page of realms, the oldest first."""
        return self.page(list_realms_as(self.actor), order=("created_at", "pk"))

    def post(self, request: Request) -> Response:
        """Create one."""
        if self.actor.user is None:
            raise AssertionError("needs_person was checked")
        created = create_realm(owner=self.actor.user, label=self.body.get("label", ""))
        created.realm.ask_as(Role.OWNER.value)
        known = RealmFields(created.realm).data
        secrets = {"key": created.secret, "grip_url": site_urls(created.realm).grip_url(created.secret)}
        response = Response({**known, **secrets}, status=201)
        response["Location"] = reverse("api:realm", args=[created.realm.pk])
        return response


class RealmDetail(RealmResource):
    """One realm."""

    has_state = True

    operations = {
        "GET": Operation("readRealm", "Read a realm", Scope.REALMS_READ, Role.VIEWER, answers=RealmFields),
        "PATCH": Operation(
            "labelRealm",
            "Label a realm",
            Scope.REALMS_WRITE,
            takes=LabelBody,
            answers=RealmFields,
            example={"label": "production"},
        ),
        "DELETE": Operation(
            "deleteRealm",
            "Delete a realm",
            Scope.REALMS_WRITE,
            Role.OWNER,
            about="With its keys, channels and everything else; its subscribers are disconnected. Can't be undone.",
            status=204,
        ),
    }

    def current(self) -> Any:
        """Return the realm as GET does."""
        return RealmFields(self.realm).data

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with the realm."""
        return self.answer(self.realm)

    def patch(self, request: Request, realm_id: str) -> Response:
        """Change the label, if one came."""
        if "label" in self.body:
            label_realm(realm=self.realm, label=self.body["label"])
        return self.answer(self.realm)

    def delete(self, request: Request, realm_id: str) -> Response:
        """Delete the realm."""
        delete_realm(realm=self.realm)
        return Response(status=204)
