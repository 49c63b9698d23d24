"""Which patterns are followed, as publishers know it, and how they tell of channels before their items.

Edges say which prefixes their subscribers follow, and again every `RENEW_S`. Whoever publishes to such a channel tells
all edges its position before the item is stored; they subscribe from there. Where nobody follows a pattern of the
realm, publishing costs one look-up in a dictionary. Source: docs/topics/patterns.md.
"""

from collections.abc import Callable, Sequence

import msgspec

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import Prefixes

#: Edges say their prefixes here, publishers tell of channels, and who has just begun asks edges to say theirs.
PREFIXES_TOPIC = "patterns"
COMING_TOPIC = "patterns-coming"
WANTED_TOPIC = "patterns-wanted"
RENEW_S = 5.0
LEASE_S = 15.0
#: A channel is told of again with its first item after this long.
TELL_AGAIN_S = 20.0
#: Channels of a realm that are remembered as told; more are told of more often.
MAX_TOLD = 10_000


class Prefixed(msgspec.Struct, array_like=True):
    """What an edge says: all prefixes that it follows of a realm, or some more."""

    edge: str
    realm: str
    prefixes: list[str]
    is_all: bool


class Coming(msgspec.Struct, array_like=True):
    """What a publisher tells: channels, each with its position before the item to come."""

    realm: str
    channels: list[tuple[str, str, int]]


class _Followed:
    """One realm's prefixes over all edges."""

    __slots__ = ("_told", "edges", "prefixes", "version")

    def __init__(self) -> None:
        self.edges: dict[str, tuple[float, set[str]]] = {}
        self.prefixes = Prefixes()
        self.version = 0  # rises with each new prefix
        self._told: dict[ChannelName, float] = {}

    def take(self, said: Prefixed, ends_at: float) -> None:
        """Know what an edge said. What it has begun to follow is told of again."""
        _, known = self.edges.get(said.edge, (0.0, set[str]()))
        new = set(said.prefixes) - known if said.is_all else set(said.prefixes)
        gone = known - set(said.prefixes) if said.is_all else set[str]()
        self.edges[said.edge] = (ends_at, (known | new) - gone)
        if gone:
            self._gather()
        if new:
            self.version += 1
            for prefix in new:
                self.prefixes.add(prefix)
            begun = Prefixes(new)
            self._told = {channel: at for channel, at in self._told.items() if not begun.find(channel)}

    def expire(self, now: float) -> None:
        """Forget edges that were silent for too long, and those that follow nothing."""
        over = [edge for edge, (ends_at, prefixes) in self.edges.items() if ends_at < now or not prefixes]
        for edge in over:
            del self.edges[edge]
        if over:
            self._gather()

    def _gather(self) -> None:
        self.prefixes = Prefixes(prefix for _, prefixes in self.edges.values() for prefix in prefixes)

    def is_due(self, channel: ChannelName, now: float) -> bool:
        """Whether the channel has to be told of before its next item."""
        told_at = self._told.get(channel)
        return (told_at is None or told_at + TELL_AGAIN_S <= now) and bool(self.prefixes.find(channel))

    def note_told(self, channels: Sequence[ChannelName], now: float) -> None:
        """Know that the channels have been told of."""
        for channel in channels:
            self._told.pop(channel, None)
            self._told[channel] = now
        while len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]


class PatternBoard:
    """One process's. `listen` once the broker is there."""

    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._realms: dict[RealmId, _Followed] = {}
        self._prune_at = 0.0

    def listen(self) -> Callable[[], None]:
        """Hear what edges say, until the returned function is called."""
        return self._broker.listen(PREFIXES_TOPIC, self._on_prefixes)

    def is_followed(self, realm: RealmId) -> bool:
        """Whether anybody may follow patterns of the realm."""
        return realm in self._realms

    async def tell_coming(self, realm: RealmId, items: Sequence[Item]) -> None:
        """Tell edges of those channels that are followed and new to them; call it before the items are stored.

        Raises:
            Unavailable: the broker does not answer.
        """
        followed, now = self._realms[realm], self._clock.monotonic()
        followed.expire(now)
        if not followed.edges:
            del self._realms[realm]
            return
        due = [channel for channel in {item.channel: None for item in items} if followed.is_due(channel, now)]
        if not due:
            return
        version = followed.version
        positions = await self._broker.positions([(realm, channel) for channel in due])
        places: list[tuple[str, str, int]] = [
            (channel, at.epoch, at.offset) for channel, at in zip(due, positions, strict=True)
        ]
        await self._broker.announce(COMING_TOPIC, encode(Coming(realm, places)))
        if followed.version == version:  # else somebody new has missed it: it is told of again
            followed.note_told(due, now)

    def _on_prefixes(self, payload: bytes) -> None:
        said, now = _prefixed.decode(payload), self._clock.monotonic()
        realm = RealmId(said.realm)
        if said.prefixes or realm in self._realms:
            self._realms.setdefault(realm, _Followed()).take(said, now + LEASE_S)
        if now >= self._prune_at:
            self._prune_at = now + LEASE_S
            for followed in self._realms.values():
                followed.expire(now)
            self._realms = {name: followed for name, followed in self._realms.items() if followed.edges}


encode = msgspec.msgpack.Encoder().encode
decode_coming = msgspec.msgpack.Decoder(Coming).decode
_prefixed = msgspec.msgpack.Decoder(Prefixed)
