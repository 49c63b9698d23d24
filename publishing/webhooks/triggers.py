"""From what was published to events for webhooks. Pure, and on the hot path: knows no Django."""

import secrets
from collections.abc import Sequence

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.webhooks import HookEvent

#: An item that has no position yet is known by its id; ids come again after a while.
ID_PERIOD_S = 86_400


def events_of_items(
    realm: RealmSnapshot, items: Sequence[Item], results: Sequence[PublishResult], *, at: float, is_clients: bool
) -> list[HookEvent]:
    """Return the events of those items that an endpoint wants.

    An item that was published twice has the same event: whoever did not get an answer and repeats it has its event
    stored if that was what went wrong.
    """
    wants, rules = realm.webhooks, realm.rules
    return [
        HookEvent(
            realm.realm,
            "channel.message",
            _key_of(item, result.position, at),
            at,
            item.channel,
            "" if result.position is None else str(result.position),
            item,
            is_clients=is_clients,
        )
        for item, result in zip(items, results, strict=True)
        if wants.wants_item(item, rules, is_clients=is_clients)
    ]


def event_of_history(realm: RealmId, kept: KeptItem, *, replay: str = "") -> HookEvent:
    """Return the event that an item was when it was published, or one of a replay of its own, known by that, too."""
    item, position, at = kept.item, kept.position, kept.published_at
    key = _key_of(item, position, at) + (f":{replay}" if replay else "")
    is_clients = item.user is not None
    return HookEvent(realm, "channel.message", key, at, item.channel, str(position), item, is_clients=is_clients)


def _key_of(item: Item, position: StreamPosition | None, at: float) -> str:
    if item.prev_id is not None and item.id is not None:  # it may wait for its predecessor, and have no position yet
        return f"item:{item.channel}:{int(at // ID_PERIOD_S)}:{item.id}"
    if position is not None:
        return f"item:{item.channel}:{position}"
    return f"item:{item.channel}:{secrets.token_hex(12)}"
