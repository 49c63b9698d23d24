"""Keeps one connection to Redis: opens it, and opens it again, where Redis is then, whenever it was lost."""

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from fanoutcloud.broker.redis_address import RedisAddress
from fanoutcloud.broker.redis_connection import Push, RedisConnection, RedisLimits
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

#: Says where to connect now; raises `Unavailable` when nobody knows.
Locate = Callable[[], Awaitable[RedisAddress]]

FIRST_RETRY_S = 0.05
MAX_RETRY_S = 2.0


def retry_delay_s(attempt: int) -> float:
    """Return how long to wait before attempt 0, 1, 2 …: doubling, capped, spread so that edges come one by one."""
    longest: float = min(MAX_RETRY_S, FIRST_RETRY_S * 2 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


class RedisLink:
    """A connection that comes back by itself. Owns one task, from `start` to `close`.

    `on_up` prepares every new connection; the link counts as up meanwhile. When it raises `Unavailable`, the
    connection is given up and the next one tried.
    """

    def __init__(
        self,
        name: str,
        locate: Locate,
        *,
        limits: RedisLimits,
        on_up: Callable[[RedisConnection], Awaitable[None]],
        on_pushes: Callable[[Sequence[Push]], None] | None = None,
    ) -> None:
        self._name = name
        self._locate = locate
        self._limits = limits
        self._on_up = on_up
        self._on_pushes = on_pushes
        self._connection: RedisConnection | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.address: RedisAddress | None = None  # where the newest connection went

    @property
    def connection(self) -> RedisConnection:
        """The open connection.

        Raises:
            Unavailable: there is none at the moment.
        """
        if self._connection is None or not self._connection.is_open:
            raise Unavailable("the connection to the broker is down", retry_after_s=1)
        return self._connection

    async def start(self) -> None:
        """Connect. Raises `Unavailable` when that fails the first time; later losses are made good silently."""
        await self._open()
        self.start_trying()

    def start_trying(self) -> None:
        """Connect as soon as it can be done, without waiting for it."""
        self._keeper = asyncio.create_task(self._keep(), name=f"redis-{self._name}")  # owned: ended by close()

    def drop(self) -> None:
        """Give up the connection, if there is one; the link finds out anew where to connect."""
        if self._connection is not None:
            self._connection.abort()

    async def close(self) -> None:
        """End the task and the connection; safe to call twice."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        if self._connection is not None:
            await self._connection.close()

    async def _open(self) -> None:
        self.address = await self._locate()
        connection = await RedisConnection.open(self.address, limits=self._limits, on_pushes=self._on_pushes)
        self._connection = connection
        try:
            await self._on_up(connection)
        except BaseException:
            await connection.close()
            raise

    async def _keep(self) -> None:
        while True:
            if self._connection is not None:
                await self._connection.wait_closed()
                logger.warning("redis_link_lost", extra={"link": self._name})
            await self._reopen()
            logger.info("redis_link_restored", extra={"link": self._name})

    async def _reopen(self) -> None:
        for attempt in itertools.count():
            await asyncio.sleep(retry_delay_s(attempt))
            try:
                await self._open()
            except Unavailable:
                continue
            except Exception:  # whatever it is, a link that stops trying would be a silent outage
                logger.exception("redis_link_failed", extra={"link": self._name})
                continue
            return
