"""What happens in a realm that its webhooks are called with: kinds, who wants them, and one event on its way.

The delivery plane asks a realm's snapshot what is wanted, and puts what is into an `EventOutbox`; who makes calls of
it is none of its business (`publishing.webhooks`, docs/topics/webhooks.md).
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern, Prefixes
from fanoutcloud.core.rules import ChannelRules, WebhookEvent

EventKind = Literal[
    "channel.message",
    "client.message",
    "channel.occupied",
    "channel.vacated",
    "presence.join",
    "presence.leave",
    "connection.opened",
    "connection.closed",
    "origin.error",
    "limit.reached",
    "endpoint.disabled",
    "endpoint.exhausted",
    "webhook.test",
]
#: Kinds of one channel each; the others are of the realm, whatever its endpoints' patterns.
CHANNEL_KINDS: tuple[EventKind, ...] = (
    "channel.message",
    "client.message",
    "channel.occupied",
    "channel.vacated",
    "presence.join",
    "presence.leave",
)
PRESENCE_KINDS: tuple[EventKind, ...] = ("channel.occupied", "channel.vacated", "presence.join", "presence.leave")
REALM_KINDS: tuple[EventKind, ...] = ("connection.opened", "connection.closed", "origin.error", "limit.reached")
#: Of other endpoints of the realm; they come about in the database, and the delivery plane has nothing to do for them.
ENDPOINT_KINDS: tuple[EventKind, ...] = ("endpoint.disabled", "endpoint.exhausted")
#: What an endpoint can ask for. `client.message` is a `channel.message` that a subscriber published.
WANTED_KINDS: tuple[EventKind, ...] = (*CHANNEL_KINDS, *REALM_KINDS, *ENDPOINT_KINDS)
#: Events that a channel rule names → kind.
RULE_KINDS: Mapping[WebhookEvent, EventKind] = {
    "published": "channel.message",
    "occupied": "channel.occupied",
    "vacated": "channel.vacated",
    "connected": "presence.join",
    "disconnected": "presence.leave",
}
_RULE_EVENTS: dict[str, WebhookEvent] = {kind: event for event, kind in RULE_KINDS.items()}
#: What is announced when there is something to do for webhooks, so that nobody has to ask all the time; and of what.
NEWS_TOPIC = "webhooks"
NEWS_OF_EVENTS = b"events"  # the outbox, which was empty, holds some
NEWS_OF_ROWS = b"rows"  # deliveries in the database are due
#: An item that has no position yet is known by its id; ids come again after a while.
ID_PERIOD_S = 86_400
#: Wanted by endpoints that are called with items in the format `http-request` alone.
REQUESTS_ONLY = "requests"


class ChannelSet:
    """Channels by exact names and prefixes; whether one is among them costs a look-up per length of prefix."""

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, patterns: Iterable[ChannelPattern]) -> None:
        patterns = list(patterns)
        self._exact = frozenset(pattern.text for pattern in patterns if not pattern.is_prefix)
        self._prefixes = Prefixes(pattern.text for pattern in patterns if pattern.is_prefix)

    def covers(self, channel: ChannelName) -> bool:
        """Return whether any of the patterns does."""
        return channel in self._exact or bool(self._prefixes.find(channel))


@dataclass(frozen=True, slots=True)
class WebhookInterest:
    """What the endpoints of a realm want, put together. False when they want nothing."""

    wanted: tuple[tuple[str, tuple[ChannelPattern, ...]], ...] = ()  # kind → channels; several of one kind may be
    _sets: dict[str, ChannelSet] = field(init=False, repr=False, compare=False)
    _all: ChannelSet = field(init=False, repr=False, compare=False)
    has_realm_kinds: bool = field(init=False, repr=False, compare=False)  # whether events beside items are wanted

    def __post_init__(self) -> None:
        by_kind: dict[str, list[ChannelPattern]] = {}
        for kind, patterns in self.wanted:
            by_kind.setdefault(kind, []).extend(patterns)
        object.__setattr__(self, "_sets", {kind: ChannelSet(patterns) for kind, patterns in by_kind.items()})
        full = [pattern for kind, patterns in by_kind.items() if kind != REQUESTS_ONLY for pattern in patterns]
        object.__setattr__(self, "_all", ChannelSet(full))
        object.__setattr__(self, "has_realm_kinds", any(kind in by_kind for kind in REALM_KINDS))

    def __bool__(self) -> bool:
        return bool(self.wanted)

    def includes(self, kind: str) -> bool:
        """Return whether any endpoint wants this kind, of some channel."""
        return kind in self._sets

    def covers(self, kind: str, channel: ChannelName, rules: ChannelRules) -> bool:
        """Return whether any endpoint wants this kind of this channel, by itself or by the rule of the channel."""
        if (wanted := self._sets.get(kind)) is not None and wanted.covers(channel):
            return True
        event = _RULE_EVENTS.get(kind)
        return event is not None and event in rules.find(channel).webhook_events and self._all.covers(channel)

    def covers_presence(self, channel: ChannelName, rules: ChannelRules) -> bool:
        """Return whether any endpoint wants to know who comes to this channel and leaves it."""
        return bool(self.wanted) and any(self.covers(kind, channel, rules) for kind in PRESENCE_KINDS)

    def wants_item(self, item: Item, rules: ChannelRules, *, is_clients: bool) -> bool:
        """Return whether any endpoint is to be called with an item that was published."""
        if item.http_request is not None and self._covers_requests(item.channel):
            return True
        if item.http_request is None and item.json_object is None:
            return False  # no form of it can be sent
        if self.covers("channel.message", item.channel, rules):
            return True
        return is_clients and self.covers("client.message", item.channel, rules)

    def _covers_requests(self, channel: ChannelName) -> bool:
        wanted = self._sets.get(REQUESTS_ONLY)
        return wanted is not None and wanted.covers(channel)


NO_WEBHOOKS = WebhookInterest()


class HookEvent(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One event on its way to webhooks. `key` is its own in the realm for ever: a second one with it changes nothing.

    `position` is the item's, as text; `data` is JSON text, of events that are no items.
    """

    realm: RealmId
    kind: EventKind
    key: str
    at: float
    channel: str = ""
    position: str = ""
    item: Item | None = None
    data: bytes = b""
    is_clients: bool = False  # a subscriber published the item


def item_key(item: Item, position: str, at: float) -> str:
    """Return the key of an item's event: the same for an item that is published again, and of no other item.

    By its position; by its id where it may wait for its predecessor, and have no position (empty) yet; else by chance.
    """
    if item.id is not None and (item.prev_id is not None or not position):
        return f"item:{item.channel}:{int(at // ID_PERIOD_S)}:{item.id}"
    return f"item:{item.channel}:{position or secrets.token_hex(12)}"


def with_item(event: HookEvent, item: Item, position: str) -> HookEvent:
    """Return the event of an item that was made before the item was stored. Empty: the item has no position yet."""
    key = item_key(item, position, event.at) if position else event.key
    return msgspec.structs.replace(event, key=key, position=position, item=item)


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An event that waits, and its place in the outbox."""

    place: str
    event: HookEvent


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits in an outbox, and what came of calls: `delivered`, or a cause, → how many ever."""

    waiting: int = 0
    oldest_at: float | None = None  # when the event that waits longest happened; None: none waits
    calls: Mapping[str, int] = field(default_factory=dict)


class EventOutbox(Protocol):
    """Where events wait between the delivery plane and the database; bounded. `Unavailable` when it does not answer."""

    #: Whoever has taken what there was leaves it alone for so long: taking and forgetting holds up what is published.
    rest_s: float

    def check_room(self, realm: RealmId) -> None:
        """Return if there is room for the realm's events, as far as is known. Costs no wait.

        Raises:
            LimitReached: as many of them wait as may (limit webhook_backlog).
        """

    async def put(self, events: Sequence[HookEvent]) -> None:
        """Return when the events, all of one realm, are where no end of a process loses them.

        If none waited before, `NEWS_OF_EVENTS` is announced.

        Raises:
            LimitReached: as above; none was stored.
        """

    async def take(self, limit: int) -> list[OutboxEntry]:
        """Return those that have waited longest; again and again until they are done."""

    async def done(self, entries: Sequence[OutboxEntry]) -> None:
        """Forget events whose deliveries are stored."""

    async def count(self, calls: Mapping[str, int]) -> None:
        """Add what came of calls."""

    async def look(self) -> OutboxState:
        """Return how it is."""


def backlog_reached(limit: int) -> LimitReached:
    """Return the error of a realm whose webhooks have fallen this far behind."""
    cure = "see that a worker runs (docs/howto/monitor.md), then publish again with the same ids"
    return LimitReached("webhook_backlog", f"{limit:,} events", retry_after_s=5, cure=cure)


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(HookEvent)


def pack_event(event: HookEvent) -> bytes:
    """Return `event` as bytes for the outbox (MessagePack)."""
    return _packer.encode(event)


def unpack_event(packed: bytes) -> HookEvent:
    """Return the event that `pack_event` packed."""
    return _unpacker.decode(packed)
