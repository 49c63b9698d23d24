"""Subscriber tokens for servers that do not sign their own."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.claims import MAX_USER_CHARACTERS
from fanoutcloud.core.tokens import MAX_LIFETIME_S
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields
from realms.scopes import Scope
from realms.services import make_token


class SubscriberTokenBody(Fields):
    """What the token is to say."""

    user = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=MAX_USER_CHARACTERS, trim_whitespace=False,
        help_text="Who shows it: its `sub`.",
    )  # fmt: skip
    channels = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=40)),
        help_text="Channel or prefix* to what is allowed there, such as `subscribe`.",
    )
    lifetime_s = serializers.IntegerField(required=False, default=3600, min_value=1, max_value=int(MAX_LIFETIME_S))
    info = serializers.JSONField(
        required=False, default=None, allow_null=True, help_text="What others see of the user, where presence is on."
    )


class SubscriberTokenFields(Fields):
    """A token to hand to a client."""

    token = serializers.CharField(help_text="A JWT, signed with the realm's oldest live key.")
    lifetime_s = serializers.IntegerField()


class SubscriberTokens(RealmResource):
    """Making tokens. They are kept nowhere."""

    operations = {
        "POST": Operation(
            "makeSubscriberToken", "Make a subscriber token", Scope.ACCESS_ISSUE,
            about="As your server could sign it with a key of the realm. It ends with that key, or when it is revoked.",
            takes=SubscriberTokenBody, answers=SubscriberTokenFields, is_repeatable=False,
            example={"user": "42", "channels": {"orders.7": ["subscribe"]}, "lifetime_s": 600},
        )
    }  # fmt: skip

    def post(self, request: Request, realm_id: str) -> Response:
        """Answer with a new one."""
        token = make_token(realm=self.realm, **self.body)
        return Response({"token": token, "lifetime_s": self.body["lifetime_s"]})
