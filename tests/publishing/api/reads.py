"""A delivery plane that has one channel with one item, and one connection."""

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.presence import Member
from fanoutcloud.core.reads import (
    ChannelCount,
    ChannelInfo,
    ChannelPage,
    ChannelPlace,
    ConnectionFound,
    ConnectionInfo,
    ConnectionPage,
    Disconnected,
    HistoryPage,
    KeptItem,
    PresencePage,
)
from fanoutcloud.core.streams import StreamPosition

POSITION = StreamPosition("k3v9q1zt", 1)
KEPT = KeptItem(POSITION, Item(ChannelName("door"), id="18", json_object=b'{"open":true}'), 1_800_000_000.5)
CONNECTION = ConnectionInfo(
    "c1", "e1", "websocket", "42", b'{"name":"Ann"}', "192.0.2.1", 1_800_000_000.0, 0,
    [ChannelPlace(ChannelName("door"), str(POSITION))],
    5120, 0.0015,
)  # fmt: skip


class FakeReads:
    """`DeliveryReads`; keeps what it was asked in `asked`."""

    def __init__(self, broker: object) -> None:
        self.asked: list[tuple[str, object]] = []

    async def channel_info(self, realm, channel):
        self.asked.append((realm, channel))
        return ChannelInfo(channel, {"websocket": 1}, POSITION, KEPT)

    async def channels(self, realm, *, prefix="", cursor=None, limit=100):
        self.asked.append((realm, (prefix, cursor, limit)))
        return ChannelPage([ChannelCount(ChannelName("door"), {"websocket": 1})], None, ("e2",))

    async def history(self, realm, channel, *, before=None, after=None, limit=100):
        self.asked.append((realm, (channel, before, after, limit)))
        return HistoryPage([KEPT], POSITION, has_more=False)

    async def presence(self, realm, channel, *, cursor=None, limit=100):
        self.asked.append((realm, (channel, cursor, limit)))
        return PresencePage([Member("42", b'{"name":"Ann"}'), Member("43", None)], "43", 3, 1, 5)

    async def connections(
        self, realm, *, channel=None, user=None, transport=None, behind_only=False, cursor=None, limit=100
    ):
        self.asked.append((realm, (channel, user, transport, behind_only, cursor, limit)))
        return ConnectionPage([CONNECTION], "c1")

    async def connection(self, realm, connection):
        self.asked.append((realm, connection))
        return ConnectionFound(CONNECTION if connection == "c1" else None)

    async def disconnect(self, realm, whose, *, reason="", may_reconnect=False):
        self.asked.append((realm, (whose, reason, may_reconnect)))
        return Disconnected(2)
