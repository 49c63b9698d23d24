"""What may be asked of the delivery plane, over all its edges, and what it may be told to do.

Implemented by `edge.reporting.reads`; reachable for Django's views through the plane (`publishing.apps`). Every answer
names the edges that did not give theirs in time: `missing` is empty when it is whole. Source: docs/topics/reads.md.
"""

from dataclasses import dataclass
from typing import Protocol

import msgspec

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import Member
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.why import Accounts

#: More on one page is not offered.
MAX_PAGE = 1000
MAX_HISTORY_PAGE = 100
#: RFC 6455 §5.5: what fits beside the code into a close frame.
MAX_REASON_BYTES = 123


class ChannelPlace(msgspec.Struct, frozen=True, array_like=True):
    """How far a connection is in one of its channels; `position` is empty while it is on its way there.

    `behind`: so many items of the channel have reached its edge and not its outbox, as while it reads history.
    """

    channel: ChannelName
    position: str
    behind: int = 0


class ConnectionInfo(msgspec.Struct, frozen=True, array_like=True):
    """One open connection. `connected_at` is in seconds since 1970; `info` is JSON text; `edge` names its process.

    `acked_bytes` and `round_trip_s` are what the kernel knows of its TCP connection: bytes that arrived at the other
    end since it was opened, and how long the way there and back takes. None where the kernel does not say.
    """

    connection: str
    edge: str
    transport: str
    user: str
    info: bytes | None
    address: str
    connected_at: float
    unsent_bytes: int
    channels: list[ChannelPlace]
    acked_bytes: int | None = None
    round_trip_s: float | None = None

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be sent to it."""
        return self.unsent_bytes > 0 or any(place.behind for place in self.channels)


class ChannelCount(msgspec.Struct, frozen=True, array_like=True):
    """A channel that has subscribers: how many, by transport."""

    channel: ChannelName
    by_transport: dict[str, int]

    @property
    def subscribers(self) -> int:
        return sum(self.by_transport.values())


@dataclass(frozen=True, slots=True)
class KeptItem:
    """An item in history. `published_at` is in seconds since 1970."""

    position: StreamPosition
    item: Item
    published_at: float


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """`position` is None for a channel that nobody has published to or subscribed to lately."""

    channel: ChannelName
    by_transport: dict[str, int]
    position: StreamPosition | None
    last_item: KeptItem | None
    missing: tuple[str, ...] = ()

    @property
    def subscribers(self) -> int:
        return sum(self.by_transport.values())


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """Channels in order of their names; `cursor` asks for the next page, None: there is none."""

    channels: list[ChannelCount]
    cursor: str | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionPage:
    """Connections in order of their names; `cursor` asks for the next page, None: there is none."""

    connections: list[ConnectionInfo]
    cursor: str | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectionFound:
    """`connection` is None if no edge that answered has it."""

    connection: ConnectionInfo | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Kept items, in the order asked for.

    `position` is the channel's newest (None as in `ChannelInfo`). `lost` says why items between the position asked for
    and these are missing: `history_expired`, or `epoch_changed`, and then the page begins anew. `has_more`: further
    items are kept in this direction, behind the last one here.
    """

    items: list[KeptItem]
    position: StreamPosition | None
    has_more: bool
    lost: str | None = None


@dataclass(frozen=True, slots=True)
class PresencePage:
    """Who is on a channel, in order of their names; `cursor` asks for the next page. None of a channel not counted."""

    members: list[Member]
    cursor: str | None
    count: int
    anonymous: int
    connections: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """How many connections are being ended."""

    connections: int
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whose:
    """Connections meant: one by its name, or those of a user, or those that have a channel. One of them is given."""

    connection: str | None = None
    user: str | None = None
    channel: ChannelName | None = None


class DeliveryReads(Protocol):
    """Questions and actions of one realm. Each waits a fraction of a second at most.

    Raises, all of them:
        Unavailable: the broker does not answer.
    """

    async def channel_info(self, realm: RealmId, channel: ChannelName) -> ChannelInfo: ...

    async def channels(
        self, realm: RealmId, *, prefix: str = "", cursor: str | None = None, limit: int = 100, with_left: bool = False
    ) -> ChannelPage:
        """Return channels that have subscribers and begin with `prefix`.

        `with_left`: those, too, that had some until a moment ago, as a channel has between two polls.
        """

    async def history(
        self,
        realm: RealmId,
        channel: ChannelName,
        *,
        before: StreamPosition | None = None,
        after: StreamPosition | None = None,
        limit: int = 100,
    ) -> HistoryPage:
        """Return kept items: after a position, oldest first; else before one, or from the newest, newest first."""

    async def presence(
        self, realm: RealmId, channel: ChannelName, *, cursor: str | None = None, limit: int = 100
    ) -> PresencePage:
        """Return who is on the channel, where its rule has presence; else nobody."""

    async def connections(
        self,
        realm: RealmId,
        *,
        channel: ChannelName | None = None,
        user: str | None = None,
        transport: str | None = None,
        behind_only: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> ConnectionPage:
        """Return connections of the realm: all, or those that have a channel, a user, a transport, or all three.

        `behind_only`: of those, the ones to which something waits to be sent.
        """

    async def connection(self, realm: RealmId, connection: str) -> ConnectionFound: ...

    async def accounts(self, realm: RealmId, kind: str, about: str) -> Accounts:
        """Return what every process knows of a message, a channel, a user or a connection: `kind` says which."""

    async def disconnect(
        self, realm: RealmId, whose: Whose, *, reason: str = "", may_reconnect: bool = False
    ) -> Disconnected:
        """End connections; clients are told `reason`, and whether to come back. Ended at a pace, after the answer."""
