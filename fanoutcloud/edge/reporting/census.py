"""One edge's part of an answer: what this process knows of a realm's channels and connections, and ending some.

No question waits, and none looks at another realm's subscribers. Questions come through `broker.roll_call`.
"""

import asyncio
import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

import msgspec

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.reads import ChannelCount, ChannelPlace, ConnectionInfo
from fanoutcloud.edge.hub.channel import LocalChannel
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.reporting.accounting import Accounting
from fanoutcloud.edge.reporting.tcp_counters import read_counters

#: So many connections are ended in one turn of the event loop.
ENDED_AT_ONCE = 200


class AskChannel(msgspec.Struct, tag=True, frozen=True):
    """Who has the channel? Answer: `list[ChannelCount]` of one or none."""

    realm: RealmId
    channel: ChannelName


class AskChannels(msgspec.Struct, tag=True, frozen=True):
    """Which channels have subscribers? Answer: `list[ChannelCount]`, in order, those behind `after`."""

    realm: RealmId
    prefix: str
    after: str
    limit: int
    with_left: bool = False  # those that were left a moment ago, too


class AskOpen(msgspec.Struct, tag=True, frozen=True):
    """Is the channel open, whether it has subscribers now or had until a moment ago? Answer: `bool`."""

    realm: RealmId
    channel: ChannelName


class AskConnections(msgspec.Struct, tag=True, frozen=True):
    """Which connections are there? Answer: `list[ConnectionInfo]`, in order, those behind `after`."""

    realm: RealmId
    channel: ChannelName | None
    user: str | None
    after: str
    limit: int
    transport: str | None = None
    behind_only: bool = False


class AskConnection(msgspec.Struct, tag=True, frozen=True):
    """What of one connection? Answer: `list[ConnectionInfo]` of one or none."""

    realm: RealmId
    connection: str


class AskWhy(msgspec.Struct, tag=True, frozen=True):
    """What happened to a message, a channel, a user, a connection? Answer: `core.why.Account`."""

    realm: RealmId
    kind: str
    about: str


class EndConnections(msgspec.Struct, tag=True, frozen=True):
    """End those of one connection, user or channel. Answer: how many, as `int`."""

    realm: RealmId
    connection: str | None
    user: str | None
    channel: ChannelName | None
    reason: str
    may_reconnect: bool


class TakeSession(msgspec.Struct, tag=True, frozen=True):
    """Give me the Bayeux client's session. Answer: see `edge.bayeux.moves`. A repetition has the `number` again."""

    realm: RealmId
    client_id: str
    asker: str
    number: int


Question: TypeAlias = (
    AskChannel | AskOpen | AskChannels | AskConnections | AskConnection | AskWhy | EndConnections | TakeSession
)

_questions: msgspec.msgpack.Decoder[Question] = msgspec.msgpack.Decoder(Question)
encode = msgspec.msgpack.Encoder().encode


class Census:
    """Answers for one hub. `edge` is this process's name in the roll call."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._accounting = Accounting(hub)
        self.edge = ""
        self.give_session: Callable[[TakeSession], bytes] = lambda asked: b""

    def answer(self, question: bytes) -> bytes:
        """Return the answer to a packed question, packed."""
        match _questions.decode(question):
            case AskChannel(realm, channel):
                local = self._hub.index.channels_of(realm).get(channel)
                return encode([] if local is None else _count([local]))
            case AskOpen(realm, channel):
                return encode(channel in self._hub.index.channels_of(realm))
            case AskChannels() as asked:
                return encode(_count(self._find_channels(asked)))
            case AskConnections() as asked:
                found = self._choose(self._find(asked.realm, asked.channel, asked.user), asked)
                return encode([self._describe(one) for one in _first(found, asked.after, asked.limit)])
            case AskConnection(realm, connection):
                return encode([self._describe(one) for one in self._find_named(realm, connection)])
            case AskWhy(realm, kind, about):
                return encode(self._accounting.account(self.edge, realm, kind, about))
            case EndConnections() as asked:
                return encode(self._end(asked))
            case TakeSession() as asked:
                return self.give_session(asked)

    def _find_channels(self, asked: AskChannels) -> list[LocalChannel]:
        channels = self._hub.index.channels_of(asked.realm)
        names = (
            name
            for name, local in channels.items()
            if name > asked.after
            and name.startswith(asked.prefix)
            and name[0] >= " "
            and (asked.with_left or not _is_left(local))
        )
        return [channels[name] for name in heapq.nsmallest(asked.limit, names)]

    def _find(self, realm: RealmId, channel: ChannelName | None, user: str | None) -> Iterable[Subscriber]:
        if user is not None:
            ours = self._hub.index.of_user(realm, user)
            return ours if channel is None else [one for one in ours if channel in one.channels]
        if channel is None:
            return self._hub.index.of_realm(realm)
        local = self._hub.index.channels_of(realm).get(channel)
        return () if local is None else [*local.live_subscribers(), *local.joining]

    def _choose(self, found: Iterable[Subscriber], asked: AskConnections) -> Iterable[Subscriber]:
        if asked.transport is not None:
            found = (one for one in found if one.wire.transport == asked.transport)
        return (one for one in found if self._is_behind(one)) if asked.behind_only else found

    def _is_behind(self, subscriber: Subscriber) -> bool:
        return subscriber.sink.unsent_bytes() > 0 or any(
            self._place(subscriber, channel).behind for channel in subscriber.channels
        )

    def _find_named(self, realm: RealmId, connection: str) -> list[Subscriber]:
        try:
            name = connection[:-8], int(connection[-8:], 16)
        except ValueError:
            return []
        return [one for one in self._hub.index.of_realm(realm) if (one.origin, one.serial) == name]

    def _describe(self, subscriber: Subscriber) -> ConnectionInfo:
        grant = subscriber.grant
        acked_bytes, round_trip_s = read_counters(subscriber.sink)
        return ConnectionInfo(
            connection=subscriber.connection,
            edge=self.edge,
            transport=subscriber.wire.transport,
            user=grant.user,
            info=grant.info,
            address=subscriber.address,
            connected_at=subscriber.connected_at,
            unsent_bytes=subscriber.sink.unsent_bytes(),
            channels=[self._place(subscriber, channel) for channel in subscriber.channels],
            acked_bytes=acked_bytes,
            round_trip_s=round_trip_s,
        )

    def _place(self, subscriber: Subscriber, channel: ChannelName) -> ChannelPlace:
        local = self._hub.index.channels_of(subscriber.realm).get(channel)
        if local is None or local.top is None:
            return ChannelPlace(channel, "")
        joining = local.joining.get(subscriber)
        at = local.ahead.get(subscriber, local.top) if joining is None else joining.at
        behind = local.top.offset - at.offset if at.epoch == local.top.epoch else 0
        return ChannelPlace(channel, str(at), max(0, behind))

    # -- ending

    def _end(self, asked: EndConnections) -> int:
        if asked.connection is not None:
            meant: Collection[Subscriber] = self._find_named(asked.realm, asked.connection)
        else:
            meant = list(self._find(asked.realm, asked.channel, asked.user))
        reason = CloseReason.DISCONNECTED if asked.may_reconnect else CloseReason.EXPELLED
        self._hub.spawn(_close_all(iter(meant), reason, asked.reason))
        return len(meant)


async def _close_all(subscribers: Iterator[Subscriber], reason: CloseReason, text: str) -> None:
    """Close them a few at a time: fan-out goes on in between."""
    for number, subscriber in enumerate(subscribers, 1):
        subscriber.close(reason, text)
        if number % ENDED_AT_ONCE == 0:
            await asyncio.sleep(0)


def _first(subscribers: Iterable[Subscriber], after: str, limit: int) -> list[Subscriber]:
    """Return the first `limit` by name behind the name `after`; names are compared without being made."""
    behind = (after[:-8], int(after[-8:], 16)) if after else ("", 0)
    found = (one for one in subscribers if (one.origin, one.serial) > behind)
    return heapq.nsmallest(limit, found, key=lambda one: (one.origin, one.serial))


def _is_left(local: LocalChannel) -> bool:
    return not (local.groups or local.individuals or local.selected or local.joining or local.ahead)


def _count(channels: list[LocalChannel]) -> list[ChannelCount]:
    counts = []
    for local in channels:
        by_transport = local.count_by_transport()
        by_transport.update(one.wire.transport for one in [*local.joining, *local.ahead])
        counts.append(ChannelCount(local.channel, dict(by_transport)))
    return counts
