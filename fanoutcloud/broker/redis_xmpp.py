"""Subscriptions of XMPP sessions in Redis: one hash for each gateway."""

import asyncio
from collections.abc import Callable

import msgspec

from fanoutcloud.broker.redis_connection import RedisConnection
from fanoutcloud.broker.redis_names import PREFIX
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.xmpp_subscriptions import KeptSubscription, SubscriptionName

ANSWER_LIMIT_S = 5.0
#: Nothing that is older can be gone on with.
KEPT_MS = 7 * 86_400_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptSubscription).decode


class RedisSubscriptionStore:
    """See `SubscriptionStore`. `gateway` tells this one from others on the same Redis: its domain."""

    def __init__(self, connection_for: Callable[[str], RedisConnection], gateway: str) -> None:
        self._connection_for = connection_for
        self._key = f"{PREFIX}{{xmpp/{gateway}}}"

    async def load(self) -> list[KeptSubscription]:
        [values] = await self._call(["HVALS", self._key])
        return [_decode(value) for value in values if isinstance(value, bytes)] if isinstance(values, list) else []

    async def save(self, changed: list[KeptSubscription], ended: list[SubscriptionName]) -> None:
        commands: list[list[str | bytes]] = []
        if changed:
            commands.append(
                ["HSET", self._key, *(part for one in changed for part in (_encode(one.name), _encode(one)))]
            )
        if ended:
            commands.append(["HDEL", self._key, *map(_encode, ended)])
        if commands:
            await self._call(*commands, ["PEXPIRE", self._key, str(KEPT_MS)])

    async def _call(self, *commands: list[str | bytes] | list[str]) -> list[object]:
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return list(await asyncio.gather(*self._connection_for(self._key).call_all(commands)))
        except TimeoutError:
            raise Unavailable("Redis does not answer") from None
