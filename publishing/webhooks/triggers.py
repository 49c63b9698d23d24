"""From what was published to events for webhooks. Pure, and on the hot path: knows no Django."""

from collections.abc import Sequence

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.webhooks import HookEvent, item_key


def events_of_items(
    realm: RealmSnapshot, items: Sequence[Item], *, at: float, is_clients: bool
) -> list[HookEvent | None]:
    """Return the event of each item that is yet to be stored, for `with_item`; None: no endpoint wants it."""
    wants, rules = realm.webhooks, realm.rules
    return [
        HookEvent(realm.realm, "channel.message", item_key(item, "", at), at, item.channel, is_clients=is_clients)
        if wants.wants_item(item, rules, is_clients=is_clients)
        else None
        for item in items
    ]


def event_of_history(realm: RealmId, kept: KeptItem, *, replay: str = "") -> HookEvent:
    """Return the event that an item was when it was published, or one of a replay of its own, known by that, too."""
    item, position, at = kept.item, str(kept.position), kept.published_at
    key = item_key(item, position, at) + (f":{replay}" if replay else "")
    is_clients = item.user is not None
    return HookEvent(realm, "channel.message", key, at, item.channel, position, item, is_clients=is_clients)
