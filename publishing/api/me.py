"""Who the caller is."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from publishing.api.operations import Operation
from publishing.api.resources import Resource
from publishing.api.serializers import Fields
from realms.actors import Actor


class MeFields(Fields):
    """The caller's credential: whose it is and what it opens."""

    credential = serializers.CharField(help_text="What it is, for people.")
    email = serializers.EmailField(allow_null=True, help_text="The person for whom it acts.")
    realm = serializers.CharField(allow_null=True, help_text="The one realm that it opens; null: all of the person's.")
    scopes = serializers.ListField(child=serializers.CharField())

    def to_representation(self, actor: Actor) -> dict[str, Any]:
        """Return the members of the answer."""
        return {
            "credential": actor.name,
            "email": actor.user.email if actor.user is not None else None,
            "realm": actor.realm_id,
            "scopes": sorted(actor.scopes),
        }


class Me(Resource):
    """The caller."""

    operations = {"GET": Operation("whoAmI", "See what your credential is and opens", answers=MeFields)}

    def get(self, request: Request) -> Response:
        """Answer with the caller."""
        return self.answer(self.actor)
