"""What this edge knows of the newest id of a channel: so that an origin's answer that is out of date is noticed.

The broker keeps the newest items, so the id is known even if nobody here was subscribed when the item came. Where the
origin was asked again because of a conflict, the id is forgotten until the next item: an origin that insists is
believed. Source: GRIP: recovery with prev-id.
"""

from collections import OrderedDict

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import PositionLost, StreamPosition

MAX_CHANNELS = 20_000
_Key = tuple[RealmId, ChannelName]


class LastIds:
    """For all realms of one process."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._known: OrderedDict[_Key, tuple[StreamPosition, str | None]] = OrderedDict()

    async def find(self, realm: RealmId, channel: ChannelName, position: StreamPosition) -> str | None:
        """Return the id of the item at `position`, the channel's newest; None if none is known, or it was forgotten."""
        known = self._known.get((realm, channel))
        if known is None or known[0] != position:
            known = (position, await self._read(realm, channel, position))
            self._keep(realm, channel, known)
        return known[1]

    def forget(self, realm: RealmId, channel: ChannelName, position: StreamPosition) -> None:
        """Know nothing of the channel until an item comes after `position`."""
        self._keep(realm, channel, (position, None))

    def is_forgotten(self, realm: RealmId, channel: ChannelName, position: StreamPosition) -> bool:
        """Whether the origin was asked because of the item at `position` already."""
        return self._known.get((realm, channel)) == (position, None)

    def _keep(self, realm: RealmId, channel: ChannelName, known: tuple[StreamPosition, str | None]) -> None:
        self._known[realm, channel] = known
        self._known.move_to_end((realm, channel))
        if len(self._known) > MAX_CHANNELS:
            self._known.popitem(last=False)

    async def _read(self, realm: RealmId, channel: ChannelName, position: StreamPosition) -> str | None:
        if position.offset < 1:
            return None
        before = StreamPosition(position.epoch, position.offset - 1)
        try:
            newest = await self._broker.read_since(realm, channel, before, limit=1)
        except (PositionLost, Unavailable):
            return None
        return newest[0].item.id if newest and not newest[0].item.no_seq else None
