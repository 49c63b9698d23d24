"""Which connections are open at which edge: of an edge that dies, others tell that they have ended.

Kept for realms alone whose webhooks want to know. Of a realm, the hash `{realm/}open`: connection → MessagePack of
[edge, `OpenConnection`]; of an edge, under the tag `{presence}`, the set of such realms. A connection that moves to
another edge is overwritten there, so it is never told as ended with the edge that it came from.
"""

from collections.abc import Callable, Sequence

import msgspec

from fanoutcloud.broker.redis_connection import Argument, RedisConnection, Reply
from fanoutcloud.broker.redis_names import PREFIX, realm_key
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.presence import KEPT_S


class OpenConnection(msgspec.Struct, frozen=True, array_like=True):
    """`key` and `data` are those of the event that tells of its end (`core.webhooks.HookEvent`)."""

    connection: str
    key: str
    data: bytes


class RedisOpenConnections:
    """`connection_for` is the broker's: it leads to where a key is. All raise `Unavailable` when it does not answer.

    What nobody repeats for `KEPT_S` is forgotten.
    """

    def __init__(self, connection_for: Callable[[str], RedisConnection]) -> None:
        self._connection_for = connection_for

    async def write(self, edge: str, realm: RealmId, opened: Sequence[OpenConnection]) -> None:
        """Write down connections that the edge has; again is as good as once."""
        realms, key = _realms_key(edge), realm_key(realm, "open")
        await self._call(realms, "SADD", realms, realm)
        await self._call(realms, "EXPIRE", realms, int(KEPT_S))
        pairs: list[Argument] = []
        for one in opened:
            pairs += [one.connection, _pack((edge, one))]
        await self._call(key, "HSET", key, *pairs)
        await self._call(key, "EXPIRE", key, int(KEPT_S))

    async def remove(self, realm: RealmId, connections: Sequence[str]) -> None:
        """Forget connections whose end is told."""
        key = realm_key(realm, "open")
        await self._call(key, "HDEL", key, *connections)

    async def realms_of(self, edge: str) -> list[RealmId]:
        """Return realms of which the edge has written connections down."""
        realms = _realms_key(edge)
        return [RealmId(realm.decode()) for realm in await self._call(realms, "SMEMBERS", realms)]

    async def of_edge(self, realm: RealmId, edge: str) -> list[OpenConnection]:
        """Return the connections that the edge was the last to write down."""
        key = realm_key(realm, "open")
        entries = map(_unpack, await self._call(key, "HVALS", key))
        return [one for owner, one in entries if owner == edge]

    async def forget(self, edge: str) -> None:
        """Forget an edge all of whose connections are told."""
        realms = _realms_key(edge)
        await self._call(realms, "UNLINK", realms)

    async def _call(self, key: str, *command: Argument) -> Reply:
        return await self._connection_for(key).call(*command)


def _realms_key(edge: str) -> str:
    return f"{PREFIX}{{presence}}open:{edge}"


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[str, OpenConnection]).decode
