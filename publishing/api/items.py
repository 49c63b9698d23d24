"""Publishing by program: the items of docs/api/publish.md, with an answer for each."""

import hashlib
from typing import Any

import msgspec
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from publishing.api.operations import Operation
from publishing.api.planes import get_plane
from publishing.api.resources import RealmResource
from publishing.api.serializers import Fields
from publishing.apps import DeliveryPlane
from realms.errors import RealmNotFound
from realms.scopes import Scope

MAX_ITEMS = 1000


class ItemsBody(Fields):
    """Items to publish; each as in docs/api/publish.md."""

    items = serializers.ListField(
        child=serializers.DictField(),
        min_length=1,
        max_length=MAX_ITEMS,
        help_text="`channel`, and formats such as `json-object`, `http-stream`, `ws-message`; `id`, `prev-id`, `tags`.",
    )


class ResultFields(Fields):
    """What became of one item."""

    channel = serializers.CharField()
    outcome = serializers.CharField(help_text="`published`, `duplicate`, or waiting for its `prev-id`.")
    position = serializers.CharField(allow_null=True, help_text="Its place in the channel's stream.")


class ResultsFields(Fields):
    """What became of the items, in their order."""

    items = ResultFields(many=True)


class Items(RealmResource):
    """Publishing."""

    operations = {
        "POST": Operation(
            "publishItems",
            "Publish items",
            Scope.ITEMS_PUBLISH,
            about="All are checked first, then stored in order, then answered. With an Idempotency-Key, items "
            "that have no `id` are given one, so that a repetition within 60 seconds delivers nothing twice.",
            takes=ItemsBody,
            answers=ResultsFields,
            is_repeatable=False,
            example={"items": [{"channel": "door", "json-object": {"open": True}}]},
        )
    }

    def post(self, request: Request, realm_id: str) -> Response:
        """Publish the items of the body."""
        items = parse_publish(msgspec.json.encode(self.body))
        if (key := request.headers.get("Idempotency-Key")) is not None:
            items = _name_items(items, f"{self.actor.id}:{key}")
        plane = get_plane()
        results = plane.door.run(publish(plane, RealmId(self.realm.pk), items, self.actor.name))
        told = [_describe(item, result) for item, result in zip(items, results, strict=True)]
        return Response({"items": told})


async def publish(plane: DeliveryPlane, realm_id: RealmId, items: list[Item], name: str) -> list[PublishResult]:
    """Publish as the realm's own publish address does."""
    snapshot = await plane.directory.find_realm(realm_id)
    if snapshot is None:
        raise RealmNotFound(realm_id)
    return await plane.publisher.publish_items(snapshot, items, via="api", key_hint=name)


def _name_items(items: list[Item], key: str) -> list[Item]:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return [
        item if item.id is not None else msgspec.structs.replace(item, id=f"{name}-{index}")
        for index, item in enumerate(items)
    ]


def _describe(item: Item, result: PublishResult) -> dict[str, Any]:
    position = None if result.position is None else str(result.position)
    return {"channel": item.channel, "outcome": result.outcome.value, "position": position}
