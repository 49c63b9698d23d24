"""A broker on a Redis of one's own, impatient, with what the tests of failures do to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from fanoutcloud.broker.base import PublishResult
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_connection import RedisLimits
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import PositionLost, StreamPosition
from tests.contracts.brokers import KEEP, PATIENCE_S, RecordingListener, item, texts

T = TypeVar("T")
HELLO = ChannelName("hello")
REALM = RealmId("0a1b2c3d")
#: Short, so that the tests are; long enough for a busy machine.
LIMITS = RedisLimits(connect_s=1.0, answer_s=0.6, ping_s=0.3, watch_s=0.05)


class Opened:
    """A broker with its listener, closed at the end of the block."""

    def __init__(self, url: str, limits: RedisLimits = LIMITS) -> None:
        self.broker = RedisBroker(url, SystemClock(), limits=limits)
        self.listener = RecordingListener()
        self.broker.attach(self.listener)

    async def __aenter__(self) -> "Opened":
        await self.broker.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.broker.close()

    async def publish(self, *contents: str | int) -> list[PublishResult]:
        return await self.broker.publish(REALM, [item(text) for text in contents], retention=KEEP)

    async def publish_until_stored(self, text: str) -> PublishResult:
        """Publish under one id, again and again, as a publisher does that is told 503."""
        one = item(text, id=f"id of {text}")
        (result,) = await until_available(lambda: self.broker.publish(REALM, [one], retention=KEEP))
        return result

    async def position(self) -> StreamPosition:
        (position,) = await until_available(lambda: self.broker.positions([(REALM, HELLO)]))
        return position

    async def read(self, since: StreamPosition) -> list[str]:
        """Return what is kept after `since`."""
        return texts(await until_available(lambda: self.broker.read_since(REALM, HELLO, since, limit=1000)))

    async def is_lost(self, since: StreamPosition) -> bool:
        """Return whether a reader at `since` is told `reset`."""
        try:
            await self.read(since)
        except PositionLost:
            return True
        return False

    async def command(self, *command: str | int) -> object:
        return await self.broker._commands.connection.call(*command)  # type: ignore[union-attr]


async def until_available(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` does as soon as the broker is there for it."""
    async with asyncio.timeout(PATIENCE_S * 2):
        while True:
            try:
                return await attempt()
            except Unavailable:
                await asyncio.sleep(0.01)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when the condition holds; the broker may be away meanwhile."""
    async with asyncio.timeout(PATIENCE_S * 2):
        while not await until_available(condition):  # noqa: ASYNC110 - what is waited for happens in Redis
            await asyncio.sleep(0.01)
