"""Publishing from the quick start's own button, by the same way that a customer's publish takes."""

from typing import cast

import msgspec
from django.apps import apps

from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.names import RealmId
from publishing.apps import PublishingConfig
from realms.errors import RealmNotFound


async def send_text(*, realm_id: str, channel: str, text: str) -> None:
    """Publish `{"text": text}` to `channel` of the realm. The caller has checked who asks.

    Raises:
        FanoutError: the item is not acceptable, a limit is reached, or the broker does not answer.
    """
    plane = cast(PublishingConfig, apps.get_app_config("publishing")).plane
    if plane is None:
        raise Unavailable("this process serves pages only and cannot publish")
    snapshot = await plane.directory.find_realm(RealmId(realm_id))
    if snapshot is None:
        raise RealmNotFound(realm_id)
    body = msgspec.json.encode({"items": [{"channel": channel, "json-object": {"text": text}}]})
    await plane.publisher.publish_items(snapshot, parse_publish(body), via="page")
