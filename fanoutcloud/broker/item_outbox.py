"""Where events for webhooks wait, as those see it who publish items: an item and its event are kept together."""

from collections.abc import Sequence
from typing import Protocol

from fanoutcloud.broker.base import Broker, PublishResult
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import EventOutbox, HookEvent, with_item


class ItemOutbox(EventOutbox, Protocol):
    """The outbox that belongs to a broker, and knows whether one write can hold an item and its event."""

    async def publish(
        self, realm: RealmId, items: Sequence[Item], events: Sequence[HookEvent | None], *, retention: Retention
    ) -> tuple[list[PublishResult], list[HookEvent]]:
        """Store items as `Broker.publish` does; return its results, and the events that are yet to be `put`.

        `events` has the event of each item, as yet without item and position, or None. Where one write holds both, none
        is left to be put: an event is stored if and only if its item is, in the order of the channel. Elsewhere all are
        left, now complete, and the publish must not be acknowledged before they are put. In both cases an
        item that is published again has its event stored again, which is the same one by its key.

        Raises:
            LimitReached: where one write holds both, as `put`; then no item was stored either.
        """


async def publish_first(
    broker: Broker, realm: RealmId, items: Sequence[Item], events: Sequence[HookEvent | None], retention: Retention
) -> tuple[list[PublishResult], list[HookEvent]]:
    """See `ItemOutbox.publish`: where the event needs a write of its own."""
    results = await broker.publish(realm, items, retention=retention)
    placed = [
        with_item(event, item, "" if result.position is None else str(result.position))
        for event, item, result in zip(events, items, results, strict=True)
        if event is not None
    ]
    return results, placed
