"""Reads and actions over all edges: asks each for its part and puts the parts together (`core.reads`)."""

import heapq
import re
from collections import Counter
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TypeVar

import msgspec

from fanoutcloud.broker.base import Broker, HistoryWindow
from fanoutcloud.broker.roll_call import Answers, RollCall
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.presence import PresenceStore
from fanoutcloud.core.reads import (
    MAX_HISTORY_PAGE,
    MAX_PAGE,
    MAX_REASON_BYTES,
    ChannelCount,
    ChannelInfo,
    ChannelPage,
    ConnectionFound,
    ConnectionInfo,
    ConnectionPage,
    Disconnected,
    HistoryPage,
    PresencePage,
    Whose,
)
from fanoutcloud.core.streams import EPOCH_CHANGED, HISTORY_EXPIRED, StreamPosition
from fanoutcloud.core.why import Account, Accounts
from fanoutcloud.edge.reporting.census import (
    AskChannel,
    AskChannels,
    AskConnection,
    AskConnections,
    AskOpen,
    AskWhy,
    EndConnections,
    Question,
    encode,
)

T = TypeVar("T")
_CONNECTION = re.compile(r"[0-9a-f]{1,32}\Z")
_counts = msgspec.msgpack.Decoder(list[ChannelCount])
_connections = msgspec.msgpack.Decoder(list[ConnectionInfo])
_account = msgspec.msgpack.Decoder(Account)
_booleans = msgspec.msgpack.Decoder(bool)
_numbers = msgspec.msgpack.Decoder(int)


class AskingReads:
    """See `DeliveryReads`."""

    def __init__(self, roll_call: RollCall, broker: Broker, presence: PresenceStore) -> None:
        self._roll_call = roll_call
        self._broker = broker
        self._presence = presence

    async def channel_info(self, realm: RealmId, channel: ChannelName) -> ChannelInfo:
        """See `DeliveryReads.channel_info`."""
        answers = await self._ask(AskChannel(realm, channel))
        history = await self._broker.read_history(realm, channel, HistoryWindow(limit=1, is_newest_first=True))
        by_transport: Counter[str] = Counter()
        for count in _parts(answers, _counts.decode):
            by_transport.update(count.by_transport)
        last = history.items[0] if history.items else None
        return ChannelInfo(channel, dict(by_transport), history.position, last, answers.missing)

    async def is_open(self, realm: RealmId, channel: ChannelName) -> bool:
        """Return whether any edge that answers has the channel open, if only because somebody may come back to it."""
        answers = await self._ask(AskOpen(realm, channel))
        return any(map(_booleans.decode, answers.by_edge.values()))

    async def channels(
        self, realm: RealmId, *, prefix: str = "", cursor: str | None = None, limit: int = 100, with_left: bool = False
    ) -> ChannelPage:
        """See `DeliveryReads.channels`."""
        _check_limit(limit, MAX_PAGE)
        answers = await self._ask(AskChannels(realm, prefix, cursor or "", limit + 1, with_left))
        together: dict[ChannelName, Counter[str]] = {}
        for count in _parts(answers, _counts.decode):
            together.setdefault(count.channel, Counter()).update(count.by_transport)
        names = heapq.nsmallest(limit + 1, together)
        page = [ChannelCount(name, dict(together[name])) for name in names[:limit]]
        return ChannelPage(page, page[-1].channel if len(names) > limit else None, answers.missing)

    async def history(
        self,
        realm: RealmId,
        channel: ChannelName,
        *,
        before: StreamPosition | None = None,
        after: StreamPosition | None = None,
        limit: int = 100,
    ) -> HistoryPage:
        """See `DeliveryReads.history`."""
        _check_limit(limit, MAX_HISTORY_PAGE)
        if before is not None and after is not None:
            raise InvalidRequest("before and after are both given", cure="give one of them", field="before")
        is_newest_first = after is None
        window = HistoryWindow(after=after, before=before, limit=limit + 1, is_newest_first=is_newest_first)
        found = await self._broker.read_history(realm, channel, window)
        lost = EPOCH_CHANGED if found.is_other_epoch else None
        if lost is None and after is not None and found.position is not None:
            first = found.items[0].position.offset if found.items else found.position.offset + 1
            lost = HISTORY_EXPIRED if first > after.offset + 1 else None
        return HistoryPage(found.items[:limit], found.position, has_more=len(found.items) > limit, lost=lost)

    async def presence(
        self, realm: RealmId, channel: ChannelName, *, cursor: str | None = None, limit: int = 100
    ) -> PresencePage:
        """See `DeliveryReads.presence`."""
        _check_limit(limit, MAX_PAGE)
        found = await self._presence.snapshot(realm, channel)
        behind = [one for one in found.members if one.user > (cursor or "")]
        members = heapq.nsmallest(limit, behind, key=attrgetter("user"))
        more = members[-1].user if len(behind) > limit else None
        return PresencePage(members, more, len(found.members), found.anonymous, found.connections)

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
        """See `DeliveryReads.connections`."""
        _check_limit(limit, MAX_PAGE)
        if cursor and not _is_name(cursor):
            raise InvalidRequest("this is no cursor", cure="send it back as it was received", field="cursor")
        asked = AskConnections(realm, channel, user, cursor or "", limit + 1, transport, behind_only)
        answers = await self._ask(asked)
        name = attrgetter("connection")
        found = list(heapq.nsmallest(limit + 1, _parts(answers, _connections.decode), key=name))
        page = found[:limit]
        return ConnectionPage(page, page[-1].connection if len(found) > limit else None, answers.missing)

    async def connection(self, realm: RealmId, connection: str) -> ConnectionFound:
        """See `DeliveryReads.connection`."""
        if not _is_name(connection):
            return ConnectionFound(None)
        answers = await self._ask(AskConnection(realm, connection))
        return ConnectionFound(next(iter(_parts(answers, _connections.decode)), None), answers.missing)

    async def disconnect(
        self, realm: RealmId, whose: Whose, *, reason: str = "", may_reconnect: bool = False
    ) -> Disconnected:
        """See `DeliveryReads.disconnect`."""
        if [whose.connection, whose.user, whose.channel].count(None) != 2 or "" in (whose.user, whose.connection):
            raise InvalidRequest("it is not said whose", cure="give one of connection, user and channel", field="whose")
        if len(reason.encode(errors="replace")) > MAX_REASON_BYTES or not reason.isprintable():
            problem = f"is longer than {MAX_REASON_BYTES} bytes, or not one line"
            raise InvalidRequest(problem, cure="use a shorter text", field="reason")
        if whose.connection is not None and not _is_name(whose.connection):
            return Disconnected(0)
        answers = await self._ask(
            EndConnections(realm, whose.connection, whose.user, whose.channel, reason, may_reconnect)
        )
        return Disconnected(sum(map(_numbers.decode, answers.by_edge.values())), answers.missing)

    async def accounts(self, realm: RealmId, kind: str, about: str) -> Accounts:
        """See `DeliveryReads.accounts`."""
        answers = await self._ask(AskWhy(realm, kind, about))
        return Accounts([_account.decode(part) for part in answers.by_edge.values()], answers.missing)

    async def _ask(self, question: Question) -> Answers:
        return await self._roll_call.ask(encode(question))


def _parts(answers: Answers, decode: Callable[[bytes], list[T]]) -> Iterable[T]:
    for content in answers.by_edge.values():
        yield from decode(content)


def _check_limit(limit: int, highest: int) -> None:
    if not 1 <= limit <= highest:
        raise InvalidRequest(f"{limit} is not on offer", cure=f"use 1 to {highest}", field="limit")


def _is_name(connection: str) -> bool:
    return bool(_CONNECTION.match(connection)) and len(connection) > 8
