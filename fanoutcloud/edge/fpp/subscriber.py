"""One FPP feed: a long-poll that sorts what comes by channel."""

from fanoutcloud.core.activity import Transport
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.fpp.protocol import write_feed
from fanoutcloud.edge.transports.long_poll import PollSubscriber, PollWire


class FppWire(PollWire):
    """Counted as a transport of its own."""

    transport: Transport = "fpp"


FPP = FppWire()


class FppSubscriber(PollSubscriber):
    """Collects what one feed will answer."""

    __slots__ = ("_by_channel", "is_lost")

    def __init__(self, realm: RealmId, *, address: str) -> None:
        super().__init__(realm, address=address)
        self.wire = FPP
        self._by_channel: dict[ChannelName, list[bytes]] = {}
        #: Whether items after a cursor are kept no more: the client has to begin anew.
        self.is_lost = False

    def deliver(self, stored: StoredItem) -> None:
        if self.is_full:
            return  # behind the cursor of this answer; the next feed begins there
        channel, json_object = stored.item.channel, stored.item.json_object
        self.positions[channel] = stored.position
        if json_object is not None:
            self._by_channel.setdefault(channel, []).append(json_object)
            self.items.append(json_object)
            self._size_bytes += len(json_object)
            self.become_ready()

    def tell_reset(self, channel: ChannelName, position: StreamPosition, reason: str) -> None:
        self.is_lost = True
        self.become_ready()

    def answer(self) -> bytes:
        """Return the body: for each channel with items, those and the cursor behind them."""
        return write_feed({name: (self.positions[name], items) for name, items in self._by_channel.items()})
