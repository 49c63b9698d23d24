"""The two brokers under one roof, so that one suite runs on both; and what it looks at them with."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence

from fanoutcloud.broker.announcer import LoopAnnouncer, RedisAnnouncer
from fanoutcloud.broker.base import Broker, LiveItem
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_address import parse_redis_url
from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem

#: No test waits longer than this for something that should happen.
PATIENCE_S = 10.0

KEEP = Retention(items=100, age_s=300.0)


def item(
    text: str | int,
    channel: str = "hello",
    *,
    id: str | None = None,  # noqa: A002 - the word of the wire
    prev_id: str | None = None,
    no_seq: bool = False,
) -> Item:
    """Return an item whose content is `text`."""
    return Item(channel=ChannelName(channel), id=id, prev_id=prev_id, json_object=str(text).encode(), no_seq=no_seq)


def texts(stored: list[StoredItem]) -> list[str]:
    """Return the contents of items made by `item`."""
    return [(one.item.json_object or b"").decode() for one in stored]


class RecordingListener:
    """A hub that only remembers. `wait_until` waits for what is recorded to satisfy a condition."""

    def __init__(self) -> None:
        self.items: list[LiveItem] = []
        self.reconnects = 0
        self._changed = asyncio.Event()

    def on_items(self, items: Sequence[LiveItem]) -> None:
        self.items += items
        self._changed.set()

    def on_reconnected(self) -> None:
        self.reconnects += 1
        self._changed.set()

    def of(self, realm: str, channel: str = "hello") -> list[StoredItem]:
        """Return what came on one channel."""
        return [stored for r, c, stored in self.items if (r, c) == (realm, channel)]

    def texts(self, realm: str, channel: str = "hello") -> list[str]:
        """Return the contents that came on one channel."""
        return texts(self.of(realm, channel))

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def wait_for(self, count: int) -> None:
        """Wait until `count` items have come, whatever their channel."""
        await self.wait_until(lambda: len(self.items) >= count)


class SteppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time_s = 1_000_000.0

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s


class World:
    """Brokers of one kind, and time as they see it. Everything opened here is closed by the fixture."""

    #: Whether two brokers of this world share nothing.
    is_single_process = False

    def __init__(self) -> None:
        self.realm = RealmId(secrets.token_hex(4))
        self.opened: list[Broker] = []

    async def open(self, rules: StreamRules | None = None) -> tuple[Broker, RecordingListener]:
        """Return a started broker with its listener."""
        broker = self._make(rules or StreamRules())
        listener = RecordingListener()
        broker.attach(listener)
        self.opened.append(broker)
        await broker.start()
        return broker, listener

    async def pass_time(self, seconds: float) -> None:
        """Return when the broker's own clock stands `seconds` later."""
        raise NotImplementedError

    def announcer(self, broker: Broker) -> LoopAnnouncer | RedisAnnouncer:
        """Return what other threads announce with."""
        raise NotImplementedError

    async def close(self) -> None:
        for broker in self.opened:
            await broker.close()

    def _make(self, rules: StreamRules) -> Broker:
        raise NotImplementedError


class MemoryWorld(World):
    is_single_process = True

    def __init__(self) -> None:
        super().__init__()
        self.clock = SteppedClock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.time_s += seconds

    def announcer(self, broker: Broker) -> LoopAnnouncer:
        assert isinstance(broker, MemoryBroker)
        return broker.announcer(asyncio.get_running_loop())

    def _make(self, rules: StreamRules) -> Broker:
        return MemoryBroker(self.clock, rules=rules)


class RedisWorld(World):
    """Real Redis, whose clock can't be moved: times are short, and waited for by asking its TIME."""

    def __init__(self, url: str, clock_url: str = "") -> None:
        super().__init__()
        self.url = url
        self._clock_url = clock_url or url
        self._announcers: list[RedisAnnouncer] = []

    async def pass_time(self, seconds: float) -> None:
        connection = await RedisConnection.open(parse_redis_url(self._clock_url))
        try:
            end = await _redis_time(connection) + seconds
            while await _redis_time(connection) <= end:  # noqa: ASYNC110 - there is no event: it is Redis's clock
                await asyncio.sleep(0.01)
        finally:
            await connection.close()

    def announcer(self, broker: Broker) -> RedisAnnouncer:
        self._announcers.append(RedisAnnouncer(self.url))
        return self._announcers[-1]

    async def close(self) -> None:
        await super().close()
        for announcer in self._announcers:
            announcer.close()

    def _make(self, rules: StreamRules) -> Broker:
        return RedisBroker(self.url, SystemClock(), rules=rules)


async def _redis_time(connection: RedisConnection) -> float:
    seconds, microseconds = await connection.call("TIME")
    return int(seconds) + int(microseconds) / 1e6


#: Runs a coroutine function in a fresh world on a loop of its own, for tests that hypothesis repeats.
Runner = Callable[[Callable[[World], Awaitable[None]]], None]
