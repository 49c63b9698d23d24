"""What the owner of a realm is shown of its subscribers, made only while somebody watches (`core.activity`)."""

from fanoutcloud.core.activity import Connected, Delivered, Disconnected
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.subscriber import Subscriber


def connected_event(subscriber: Subscriber, *, at: float) -> Connected:
    """Return that a subscriber is there, and its channels."""
    return Connected(
        at=at,
        connection=subscriber.connection,
        transport=subscriber.wire.transport,
        channels=list(subscriber.channels),
        address=subscriber.address,
        user=subscriber.grant.user,
    )


def disconnected_event(subscriber: Subscriber, *, at: float) -> Disconnected:
    """Return that a subscriber has gone, and why."""
    return Disconnected(
        at=at,
        connection=subscriber.connection,
        transport=subscriber.wire.transport,
        channels=list(subscriber.channels),
        reason=subscriber.close_reason.reason,
        user=subscriber.grant.user,
    )


def find_delivered_event(local: LocalChannel, stored: StoredItem, *, at: float) -> Delivered | None:
    """Return to whom an item was written here, or None if that is nobody."""
    counts = local.count_by_transport()
    if not counts:
        return None
    return Delivered(
        at=at,
        channel=local.channel,
        position=str(stored.position),
        subscribers=counts.total(),
        by_transport=dict(counts),
    )
