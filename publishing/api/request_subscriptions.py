"""URLs that are called with what is published to a channel, as the compatible API's `hrq-subscriptions` keep them."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.core.names import parse_channel_name
from publishing.api.operations import Operation
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields, PageQuery, instant
from publishing.webhooks.request_subscriptions import add_request_subscription, remove_request_subscription
from realms.models import RequestSubscription
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import get_request_subscription, list_request_subscriptions

MAX_NAME_CHARACTERS = 512
MAX_URL_CHARACTERS = 2048


class SubscriptionFields(Fields):
    """A URL and its channel."""

    id = serializers.IntegerField()
    channel = serializers.CharField()
    url = serializers.CharField(help_text="As it is called.")
    created_at = serializers.DateTimeField()

    def to_representation(self, row: RequestSubscription) -> dict[str, Any]:
        """Return the members of the answer."""
        return {"id": row.pk, "channel": row.channel, "url": row.url, "created_at": instant(row.created_at)}


class SubscriptionBody(Fields):
    """What is to be called, and for which channel."""

    channel = serializers.CharField(max_length=MAX_NAME_CHARACTERS, trim_whitespace=False)
    url = serializers.CharField(max_length=MAX_URL_CHARACTERS)


class SubscriptionQuery(PageQuery):
    """Which subscriptions."""

    channel = serializers.CharField(
        required=False, max_length=MAX_NAME_CHARACTERS, trim_whitespace=False, help_text="Those of one channel."
    )


class SubscriptionList(RealmResource):
    """URLs by channel."""

    operations = {
        "GET": Operation(
            "listRequestSubscriptions", "List URLs that are called", Scope.WEBHOOKS_READ, Role.VIEWER,
            answers=SubscriptionFields, query=SubscriptionQuery, has_pages=True,
        ),
        "POST": Operation(
            "addRequestSubscription", "Have a URL called", Scope.WEBHOOKS_WRITE,
            about="With every item of the channel that has the format `http-request`. What is there already is "
            "answered again.",
            takes=SubscriptionBody, answers=SubscriptionFields, status=201,
            example={"channel": "orders.7", "url": "https://hooks.example.com/orders"},
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str) -> Response:
        """Answer with a page of subscriptions, the oldest first."""
        channel = self.query.get("channel")
        found = None if channel is None else parse_channel_name(channel, field="channel")
        return self.page(list_request_subscriptions(self.realm, channel=found))

    def post(self, request: Request, realm_id: str) -> Response:
        """Add one."""
        channel = parse_channel_name(self.body["channel"], field="channel")
        row = add_request_subscription(realm=self.realm, channel=channel, url=self.body["url"])
        return self.answer(row, location=reverse("api:request-subscription", args=[self.realm.pk, row.pk]))


class SubscriptionDetail(RealmResource):
    """One URL of one channel."""

    operations = {
        "GET": Operation(
            "readRequestSubscription", "Read a URL that is called", Scope.WEBHOOKS_READ, Role.VIEWER,
            answers=SubscriptionFields,
        ),
        "DELETE": Operation(
            "removeRequestSubscription", "Have a URL called no more", Scope.WEBHOOKS_WRITE, status=204,
        ),
    }  # fmt: skip

    def get(self, request: Request, realm_id: str, subscription_id: int) -> Response:
        """Answer with the subscription."""
        return self.answer(get_request_subscription(self.realm, subscription_id))

    def delete(self, request: Request, realm_id: str, subscription_id: int) -> Response:
        """Remove it."""
        row = get_request_subscription(self.realm, subscription_id)
        remove_request_subscription(
            realm=self.realm, channel=parse_channel_name(row.channel, field="channel"), url=row.url
        )
        return Response(status=204)
