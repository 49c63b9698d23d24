"""What one held connection is subscribed to: where it stands in each channel, and what it gets of an item. Pure.

Source: GRIP: filters, recovery with prev-id.
"""

from collections.abc import Iterable

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.grip import filters
from fanoutcloud.grip.instructions import HoldChannel, Instruction


class HeldChannel:
    """One channel of a hold. `prev_id` moves on with the items."""

    __slots__ = ("content_filters", "filters", "prev_id")

    def __init__(self, told: HoldChannel) -> None:
        self.prev_id = told.prev_id
        self.filters = told.filters
        self.content_filters = filters.content_filters_of(told.filters)


class Subscriptions:
    """Channels and meta values of one connection, as the origin last told."""

    __slots__ = ("channels", "meta")

    def __init__(self) -> None:
        self.channels: dict[ChannelName, HeldChannel] = {}
        self.meta: dict[str, str] = {}

    def adopt(self, told: Instruction) -> None:
        """Replace everything by what the origin tells now."""
        self.channels = {channel.name: HeldChannel(channel) for channel in told.channels}
        self.meta = told.meta

    @property
    def is_plain(self) -> bool:
        """Whether every item is for it as it is: no filters, no position to keep."""
        return not any(channel.filters or channel.prev_id is not None for channel in self.channels.values())

    @property
    def has_positions(self) -> bool:
        """Whether any channel has a prev-id."""
        return any(channel.prev_id is not None for channel in self.channels.values())

    def last_ids(self) -> dict[str, str]:
        """Return where it stands, channel by channel, where that is known."""
        return {name: channel.prev_id for name, channel in self.channels.items() if channel.prev_id is not None}

    def is_missed(self, item: Item) -> bool:
        """Whether the item shows that one before it has not come."""
        channel = self.channels.get(item.channel)
        return channel is not None and channel.prev_id is not None and item.prev_id != channel.prev_id

    def advance(self, item: Item) -> None:
        """Stand behind the item."""
        channel = self.channels.get(item.channel)
        if channel is not None and channel.prev_id is not None:
            channel.prev_id = item.id

    def content_of(self, item: Item, content: bytes, expected: tuple[str, ...] | None) -> bytes | None:
        """Return the content as this connection gets it, or None if the item is not for it. `advance` came before.

        `expected` are the content filters that the publisher counts on.

        Raises:
            FilterFault: a filter can't do its work.
        """
        channel = self.channels.get(item.channel)
        if channel is None or (expected is not None and expected != channel.content_filters):
            return None
        if not channel.filters:
            return content
        subscription = self._as_filters_see_it()
        if not filters.passes(channel.filters, item.meta, subscription):
            return None
        return filters.rewrite(channel.content_filters, content, subscription) if channel.content_filters else content

    def lets_through(self, item: Item) -> bool:
        """Tell whether the item is for this connection at all; what has no content (`hint`, `close`) is judged so."""
        channel = self.channels.get(item.channel)
        if channel is None:
            return False
        return not channel.filters or filters.passes(channel.filters, item.meta, self._as_filters_see_it())

    def find_filter(self, item: Item) -> str:
        """Return the delivery filters that keep the item from this connection, or nothing."""
        channel = self.channels.get(item.channel)
        return "" if channel is None or self.lets_through(item) else ", ".join(channel.filters)

    def _as_filters_see_it(self) -> filters.Subscription:
        return filters.Subscription(self.meta, self.channels.__contains__, self.last_ids())

    def response_filters(self) -> tuple[str, ...]:
        """Return the filters that work on the origin's own content, too."""
        return tuple(
            {name for channel in self.channels.values() for name in channel.filters} & filters.RESPONSE_FILTERS
        )


def following(queue: Iterable[StoredItem], prev_id: str) -> list[StoredItem] | None:
    """Return what of a channel's waiting items comes after `prev_id`; None if nothing shows where that is."""
    items = list(queue)
    for at, stored in enumerate(items):
        if stored.item.id == prev_id:
            return items[at + 1 :]
    for at, stored in enumerate(items):
        if stored.item.prev_id == prev_id:
            return items[at:]
    return None
