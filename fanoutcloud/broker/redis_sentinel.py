"""Finding the primary that Sentinels agree on."""

import asyncio
import logging
from collections.abc import Sequence

from fanoutcloud.broker.redis_address import RedisAddress
from fanoutcloud.broker.redis_connection import RedisConnection, RedisLimits, Reply
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

_NAME_UNKNOWN = "no Sentinel knows the broker's primary"


class SentinelLocator:
    """Asks Sentinels where the primary is, each time anew: the one that answered last comes first."""

    def __init__(
        self, sentinels: Sequence[RedisAddress], primary_name: str, server: RedisAddress, *, limits: RedisLimits
    ) -> None:
        self._sentinels = list(sentinels)
        self._primary_name = primary_name
        self._server = server
        self._limits = limits

    async def locate(self) -> RedisAddress:
        """Return the address of the primary, as the first Sentinel says that answers. Bounded by their number.

        Raises:
            Unavailable: none does, or none knows the name.
        """
        for sentinel in list(self._sentinels):
            try:
                place = await self._ask(sentinel)
            except (Unavailable, TimeoutError):
                continue
            self._sentinels.remove(sentinel)
            self._sentinels.insert(0, sentinel)
            if place is not None:
                return self._server.at(place[0].decode(), int(place[1]))
        logger.warning("sentinels_know_no_primary", extra={"primary": self._primary_name})
        raise Unavailable(_NAME_UNKNOWN, retry_after_s=1)

    async def _ask(self, sentinel: RedisAddress) -> Reply:
        connection = await RedisConnection.open(sentinel, limits=self._limits)
        try:
            async with asyncio.timeout(self._limits.connect_s):
                return await connection.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._primary_name)
        finally:
            await connection.close()
