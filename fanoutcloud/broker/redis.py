"""The broker of many processes: streams in Redis ≥ 7 (or Valkey), live items by sharded pub/sub.

Source: docs/topics/streams.md, which argues the design and says what happens when Redis loses data.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence

from fanoutcloud.broker.base import AnnouncementCallback, BrokerListener, History, HistoryWindow, Outcome, PublishResult
from fanoutcloud.broker.redis_address import Arrangement, RedisAddress, RedisTarget, parse_broker_url
from fanoutcloud.broker.redis_cluster import ClusterCommands
from fanoutcloud.broker.redis_cluster_live import ClusterSubscriptions
from fanoutcloud.broker.redis_connection import Argument, RedisConnection, RedisLimits, Reply
from fanoutcloud.broker.redis_event_scripts import OutboxFull
from fanoutcloud.broker.redis_link import Locate
from fanoutcloud.broker.redis_names import (
    announcement_channel,
    channel_of,
    realm_pattern,
    stream_key,
    stream_pattern,
)
from fanoutcloud.broker.redis_node import RedisNode
from fanoutcloud.broker.redis_overdue import OverdueTimer
from fanoutcloud.broker.redis_replies import read_history_reply, read_packed_items, read_position
from fanoutcloud.broker.redis_scripts import (
    ChannelCall,
    Script,
    build_scripts,
    head_key,
)
from fanoutcloud.broker.redis_sentinel import SentinelLocator
from fanoutcloud.broker.redis_subscriptions import LiveSubscriptions
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item, pack_item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import PositionLost, StoredItem, StreamPosition, parse_position

#: Positions are asked for so many channels at a time; the next ones wait for the answer.
_CHANNELS_PER_ROUND = 1000
_KEYS_PER_ROUND = 1000

_WAITING = PublishResult(Outcome.WAITING, None)
_STORED = Outcome.STORED


class RedisBroker:
    """Keeps the promises of `Broker` for any number of processes on one Redis.

    Two connections: one for commands, on which all calls of a loop turn share a round trip, and one for what comes
    live. While one is down, what needs it raises `Unavailable` at once; both come back by themselves. A call that
    ends in `Unavailable` or is cancelled may have been carried out: a publisher who repeats it with the same ids is
    not delivered twice.
    """

    def __init__(
        self, url: str, clock: Clock, *, rules: StreamRules | None = None, limits: RedisLimits | None = None
    ) -> None:
        limits = limits or RedisLimits()
        target = parse_broker_url(url)
        self._scripts = build_scripts(rules or StreamRules())
        salt = secrets.token_hex(8)
        self._live: LiveSubscriptions | ClusterSubscriptions
        self._commands: RedisNode | ClusterCommands
        if target.arrangement is Arrangement.CLUSTER:
            live = self._live = ClusterSubscriptions(target, limits=limits, distrust_map=self._distrust_map)
            self._commands = ClusterCommands(
                target, scripts=self._scripts, salt=salt, limits=limits, on_map=live.follow_map
            )
        else:
            locate = _to_locator(target, limits)
            self._live = single = LiveSubscriptions(locate, limits=limits)
            self._commands = RedisNode(
                locate,
                scripts=self._scripts,
                salt=salt,
                limits=limits,
                replicas=target.replicas,
                on_found=single.follow,
            )
        self._overdue = OverdueTimer(clock, self.positions)

    async def start(self) -> None:
        """See `Broker.start`."""
        try:
            await self._commands.start()
            await self._live.start()
        except BaseException:
            await self.close()
            raise
        self._overdue.start()

    async def close(self) -> None:
        """See `Broker.close`. Calls that wait get `Unavailable`."""
        await self._overdue.close()
        await self._live.close()
        await self._commands.close()

    def attach(self, listener: BrokerListener) -> None:
        """See `Broker.attach`."""
        self._live.attach(listener)

    async def publish(self, realm: RealmId, items: Sequence[Item], *, retention: Retention) -> list[PublishResult]:
        """See `Broker.publish`. One round trip, and one atomic step per channel; other channels' items may be stored
        although one channel's could not be.
        """
        if _are_plain(items):
            return await self._publish_plain(self._scripts.publish_plain, realm, items, _header(retention))
        return await self._publish(self._scripts.publish, realm, items, _header(retention))

    @property
    def has_one_server(self) -> bool:
        """Whether one script may touch whatever is kept: a Cluster has a server for each channel."""
        return not isinstance(self._commands, ClusterCommands)

    async def publish_with_events(
        self,
        realm: RealmId,
        items: Sequence[Item],
        events: Sequence[bytes],
        *,
        retention: Retention,
        outbox: Sequence[Argument],
    ) -> list[PublishResult]:
        """Publish items, and put their packed events into the outbox of webhooks in the same round trip and step.

        Only where there is one server. `events` has one for each item, or nothing; `outbox` is what
        `redis_event_scripts` is to know of it.

        Raises:
            OutboxFull: it has no room; nothing was stored (of more channels than one script takes, some may be).
        """
        header = (*_header(retention), *outbox)
        if _are_plain(items):
            return await self._publish_plain(self._scripts.publish_plain_with_events, realm, items, header, events)
        return await self._publish(self._scripts.publish_with_events, realm, items, header, events)

    async def _publish(
        self,
        script: Script,
        realm: RealmId,
        items: Sequence[Item],
        header: Sequence[Argument],
        events: Sequence[bytes] = (),
    ) -> list[PublishResult]:
        places: dict[ChannelName, list[int]] = {}
        for place, item in enumerate(items):
            if (mine := places.get(item.channel)) is None:
                places[item.channel] = [place]
            else:
                mine.append(place)
        calls = [
            ChannelCall(stream_key(realm, channel), _to_arguments(items, mine, events))
            for channel, mine in places.items()
        ]
        replies = await self._commands.run(script, header, calls)
        results = [_WAITING] * len(items)
        for (channel, mine), reply in zip(places.items(), replies, strict=True):
            for place, result in zip(mine, self._to_results(realm, channel, reply), strict=True):
                results[place] = result
        return results

    async def _publish_plain(
        self,
        script: Script,
        realm: RealmId,
        items: Sequence[Item],
        header: Sequence[Argument],
        events: Sequence[bytes] = (),
    ) -> list[PublishResult]:
        """As `_publish`, with less to say of each item and less to read."""
        told: list[tuple[Argument, ...]] = [(pack_item(item), _to_id(item)) for item in items]
        if events:
            told = [(*one, event) for one, event in zip(told, events, strict=True)]
        calls = [ChannelCall(stream_key(realm, item.channel), one) for item, one in zip(items, told, strict=True)]
        replies = await self._commands.run(script, header, calls)
        return [
            PublishResult(_STORED, read_position(reply))
            if type(reply) is bytes
            else self._to_results(realm, item.channel, reply)[0]
            for item, reply in zip(items, replies, strict=True)
        ]

    def _to_results(self, realm: RealmId, channel: ChannelName, reply: Reply) -> list[PublishResult]:
        """Return what became of the items of one channel; note when to look at it again."""
        epoch, due_in_ms, *outcomes = reply
        if not epoch:
            raise OutboxFull(due_in_ms)
        if due_in_ms >= 0:
            self._overdue.note((realm, channel), due_in_ms / 1000)
        name = epoch.decode()
        return [_to_result(name, outcome) for outcome in outcomes]

    async def subscribe(self, realm: RealmId, channel: ChannelName) -> StreamPosition:
        """See `Broker.subscribe`. When it raises or is cancelled, nothing is subscribed that was not before."""
        subscription = self._live.begin(realm, channel)
        is_established = False
        try:
            await self._live.confirm(subscription)
            (position,) = await self.positions([(realm, channel)])
            is_established = True
        finally:
            self._live.finish(subscription, is_established=is_established)
        return position

    async def unsubscribe(self, realm: RealmId, channel: ChannelName) -> None:
        """See `Broker.unsubscribe`; takes effect at once, and never waits."""
        self._live.end(realm, channel)

    async def positions(self, channels: Sequence[tuple[RealmId, ChannelName]]) -> list[StreamPosition]:
        """See `Broker.positions`. One round trip per thousand channels."""
        positions = []
        for start in range(0, len(channels), _CHANNELS_PER_ROUND):
            round_ = channels[start : start + _CHANNELS_PER_ROUND]
            calls = [ChannelCall(stream_key(realm, channel)) for realm, channel in round_]
            replies = await self._commands.run(self._scripts.touch, (), calls)
            for channel, reply in zip(round_, replies, strict=True):
                if type(reply) is bytes:
                    positions.append(read_position(reply))
                    continue
                epoch, last, due_in_ms = reply
                self._overdue.note(channel, due_in_ms / 1000)
                positions.append(StreamPosition(epoch.decode(), last))
        return positions

    async def read_since(
        self, realm: RealmId, channel: ChannelName, since: StreamPosition, *, limit: int
    ) -> list[StoredItem]:
        """See `Broker.read_since`. One round trip."""
        call = ChannelCall(stream_key(realm, channel))
        header = (since.epoch, since.offset, limit)
        ((status, epoch, last, packed),) = await self._commands.run(self._scripts.read, header, [call])
        if status != b"ok":
            raise PositionLost(status.decode(), StreamPosition(epoch.decode(), last))
        return read_packed_items(since.epoch, since.offset + 1, packed)

    async def read_history(self, realm: RealmId, channel: ChannelName, window: HistoryWindow) -> History:
        """See `Broker.read_history`. One round trip."""
        call = ChannelCall(stream_key(realm, channel))
        bounds = [bound for bound in (window.after, window.before) if bound is not None]
        is_of_one_epoch = len({bound.epoch for bound in bounds}) <= 1
        header = (
            (bounds[0].epoch if is_of_one_epoch else "-") if bounds else "",
            window.after.offset if window.after is not None else -1,
            window.before.offset if window.before is not None else -1,
            window.limit,
            int(window.is_newest_first),
        )
        (reply,) = await self._commands.run(self._scripts.history, header, [call])
        return read_history_reply(reply)

    async def list_channels(self, realm: RealmId, *, prefix: str = "", limit: int) -> list[ChannelName]:
        """See `Broker.list_channels`. In small steps."""
        found: set[ChannelName] = set()  # a scan may return a key twice
        async for _, keys in self._walk(head_key(stream_pattern(realm, prefix))):
            found.update(channel_of(key.decode()) for key in keys)
            if len(found) >= limit:
                break
        return list(found)[:limit]

    async def forget_realm(self, realm: RealmId) -> None:
        """See `Broker.forget_realm`. In small steps; can be repeated if it fails."""
        async for connection, keys in self._walk(realm_pattern(realm)):
            await asyncio.gather(*connection.call_all([("UNLINK", key) for key in keys]))

    async def _walk(self, pattern: str) -> AsyncIterator[tuple[RedisConnection, list[bytes]]]:
        """Go over all keys of Redis; give those that match, by the connection that they were found on."""
        for connection in self._commands.connections():
            cursor: Argument = 0
            while cursor != b"0":
                cursor, keys = await connection.call("SCAN", cursor, "MATCH", pattern, "COUNT", _KEYS_PER_ROUND)
                if keys:
                    yield connection, keys

    async def announce(self, topic: str, payload: bytes) -> None:
        """See `Broker.announce`. Listening that was begun in this process before is in effect by then."""
        await self._live.settle()
        await self._commands.connection.call("PUBLISH", announcement_channel(topic), payload)

    def listen(self, topic: str, callback: AnnouncementCallback) -> Callable[[], None]:
        """See `Broker.listen`."""
        return self._live.listen(topic, callback)

    async def check(self) -> None:
        """See `Broker.check`."""
        await self._commands.connection.call("PING")

    def connection_for(self, key: str) -> RedisConnection:
        """Return the open connection to where `key` is: other parts keep their own keys there (limits).

        Raises:
            Unavailable: there is none at the moment.
        """
        if isinstance(self._commands, ClusterCommands):
            return self._commands.connection_for(key)
        return self._commands.connection

    def _distrust_map(self) -> None:
        if isinstance(self._commands, ClusterCommands):
            self._commands.distrust_map()


def _are_plain(items: Sequence[Item]) -> bool:
    """Whether each is for another channel, and none says which one it follows."""
    if any(item.prev_id is not None or item.no_seq for item in items):
        return False
    return len(items) == 1 or len({item.channel for item in items}) == len(items)


def _header(retention: Retention) -> tuple[Argument, ...]:
    return retention.items, round(retention.age_s * 1000)


def _to_arguments(items: Sequence[Item], places: Sequence[int], events: Sequence[bytes]) -> list[Argument]:
    """Return the number of places, and packed item, id and prev-id of each; and its event, if there are events."""
    arguments: list[Argument] = [len(places)]
    for place in places:
        item = items[place]
        prev_id = "!" if item.no_seq else "" if item.prev_id is None else f"={item.prev_id}"
        arguments += (pack_item(item), _to_id(item), prev_id)
        if events:
            arguments.append(events[place])
    return arguments


def _to_id(item: Item) -> str:
    return "" if item.id is None else f"={item.id}"


def _to_result(epoch: str, outcome: Reply) -> PublishResult:
    if isinstance(outcome, int):
        return PublishResult(_STORED, StreamPosition(epoch, outcome)) if outcome else _WAITING
    return PublishResult(Outcome.DUPLICATE, parse_position(outcome.decode()) if outcome else None)


def _to_locator(target: RedisTarget, limits: RedisLimits) -> Locate:
    if target.arrangement is Arrangement.SENTINEL:
        return SentinelLocator(target.servers, target.primary_name, target.server, limits=limits).locate

    async def locate() -> RedisAddress:
        return target.server

    return locate
