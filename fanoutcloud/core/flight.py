"""The flight recorder: what happened in one process lately, by realm, so that "why?" can be answered afterwards.

Written where things happen, with one append each and never a wait; read only when somebody asks. Memory is bounded by
records: of a realm, and of the process. Numbers order all records of a process exactly, whatever its clock does.
Source: docs/topics/why.md.
"""

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.items import HttpResponse, HttpStream, Item, WsMessage
from fanoutcloud.core.named_ids import MAX_IDS
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.tags import TagValue

#: Of one realm in one process. Of items, about one of `SAMPLE_EVERY` stays longer.
MAX_ITEMS = 2000
MAX_SAMPLED_ITEMS = 500
SAMPLE_EVERY = 20
MAX_MOMENTS = 4000
MAX_PUBLISHED = 2000
MAX_REFUSALS = 200
#: Of one process, 60 MB at most; beyond it the realm goes that has been quiet for longest.
MAX_RECORDS = 50_000
#: An item is kept as it is, which costs least while items go out; of larger ones the content is left out.
MAX_ITEM_BYTES = 512
#: Realms that nobody has looked up, and what is kept of each.
MAX_STRANGERS = 200
MAX_REFUSALS_OF_STRANGER = 10
#: Older records are not shown.
MAX_AGE_S = 900.0
#: More channels of one connection that closed are not remembered.
MAX_CHANNELS_OF_CLOSED = 100
#: More of an error's words is not kept.
MAX_TEXT_CHARACTERS = 300

JSON, STREAM, RESPONSE, MESSAGE = 1, 2, 4, 8


class SeenItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An item that was written to this process's subscribers of a channel. `formats` are the bits above."""

    number: int
    at: float
    channel: ChannelName
    epoch: str
    offset: int
    id: str | None
    formats: int
    tags: dict[str, TagValue] | None
    user: str | None
    meta: dict[str, str] | None = None

    @property
    def position(self) -> str:
        return f"{self.epoch}:{self.offset}"


class Moment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One thing that happened to a connection.

    `kind`: opened, joined, left, reset, closed. `detail`: for `joined` the position that it came back with, if any;
    for `reset` and `closed` the reason. `channels`: for `closed` those that it had.
    """

    number: int
    at: float
    kind: str
    connection: str
    transport: str
    user: str
    address: str
    channel: str = ""
    detail: str = ""
    channels: tuple[str, ...] = ()

    def is_of(self, channel: str) -> bool:
        """Tell whether it is about this channel."""
        return self.channel == channel or channel in self.channels


class PublishedItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An item that was accepted; `outcome` is stored, duplicate or waiting."""

    number: int
    at: float
    channel: ChannelName
    position: str
    id: str | None
    prev_id: str | None
    outcome: str
    formats: list[str]
    size_bytes: int
    via: str
    key: str


class Refusal(msgspec.Struct, array_like=True, gc=False):
    """Something that was turned away, `count` times alike. `side`: publish, subscribe or origin."""

    number: int
    first_at: float
    last_at: float
    count: int
    side: str
    status: int
    code: str
    message: str
    cure: str
    field: str
    address: str
    channel: str
    user: str
    key: str
    origin: str = ""
    #: Of items that were refused: the newest that requests named, `MAX_IDS` at most.
    ids: tuple[str, ...] = ()


Record = TypeVar("Record")


class RealmFlight:
    """What is known of one realm."""

    __slots__ = ("items", "moments", "published", "refusals", "sampled", "touched")

    def __init__(self) -> None:
        self.items: deque[_Seen] = deque(maxlen=MAX_ITEMS)
        #: About one of `SAMPLE_EVERY` items, which reaches further back.
        self.sampled: deque[_Seen] = deque(maxlen=MAX_SAMPLED_ITEMS)
        self.moments: deque[Moment] = deque(maxlen=MAX_MOMENTS)
        self.published: deque[_Published] = deque(maxlen=MAX_PUBLISHED)
        self.refusals: dict[tuple[str, ...], Refusal] = {}
        self.touched = 0

    @property
    def records(self) -> int:
        """How many there are."""
        return len(self.items) + len(self.sampled) + len(self.moments) + len(self.published) + len(self.refusals)

    def items_since(self, oldest: float) -> list[SeenItem]:
        """Return the items that are known to have gone out since then, the oldest first."""
        exact_from = self.items[0][0] if self.items else 0
        older = [one for one in self.sampled if one[0] < exact_from]
        return [_seen(*one) for one in (*older, *self.items) if one[1] >= oldest]

    def published_since(self, oldest: float) -> list[PublishedItem]:
        """Return the items that were accepted since then, the oldest first."""
        return [_accepted(*one) for one in self.published if one[1] >= oldest]


_Seen = tuple[int, float, StoredItem]
_Published = tuple[int, float, Item, StreamPosition | None, int, str, str, str]


def _seen(number: int, at: float, stored: StoredItem) -> SeenItem:
    item, position = stored.item, stored.position
    return SeenItem(
        number, at, item.channel, position.epoch, position.offset, item.id, formats_of(item), item.tags or None,
        item.user, item.meta or None,
    )  # fmt: skip


def _accepted(
    number: int, at: float, item: Item, position: StreamPosition | None, size_bytes: int, outcome: str, via: str,
    key: str,
) -> PublishedItem:  # fmt: skip
    place = str(position) if position else ""
    return PublishedItem(
        number, at, item.channel, place, item.id, item.prev_id, outcome, item.formats, size_bytes, via, key
    )


class FlightRecorder:
    """One per process, on its event loop."""

    def __init__(self, clock: Clock, *, knows: Callable[[RealmId], bool] = lambda realm: True) -> None:
        """`knows`: whether a realm is known to exist, so that names that somebody makes up take little memory."""
        self._clock = clock
        self._knows = knows
        self._realms: dict[RealmId, RealmFlight] = {}
        #: Realms that may not exist, such as those of requests that were refused before anybody looked.
        self._strangers: OrderedDict[RealmId, RealmFlight] = OrderedDict()
        self._numbers = itertools.count(1)
        self._records = 0
        self.began_at = clock.now()

    def find(self, realm: RealmId) -> RealmFlight | None:
        """Return what is known of a realm that exists; not to be changed."""
        stranger = self._strangers.pop(realm, None)
        if stranger is not None:
            log = self._find_or_begin(realm)
            log.refusals |= stranger.refusals
            self._records += len(stranger.refusals)
        return self._realms.get(realm)

    # -- what happens (hot: no more than an append each)

    def seen(self, realm: RealmId, stored: StoredItem) -> None:
        """Note that an item goes to this process's subscribers of its channel."""
        item, number = stored.item, next(self._numbers)
        if item.http_stream is not None or item.ws_message is not None or item.http_response is not None:
            size_bytes = item.size_bytes
        else:
            size_bytes = len(item.json_object or b"")
        if size_bytes > MAX_ITEM_BYTES:
            stored = StoredItem(stored.position, without_content(item))
        log = self._realms.get(realm)
        if log is None:
            log = self._begin(realm)
        log.touched = number
        record = number, self._clock.now(), stored
        items = log.items
        if len(items) != MAX_ITEMS:
            self._grew()
        items.append(record)
        if not number % SAMPLE_EVERY:
            log.sampled.append(record)

    def moment(
        self, realm: RealmId, kind: str, connection: str, transport: str, user: str, address: str,
        *, channel: str = "", detail: str = "", channels: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """Note what happened to a connection; see `Moment`."""
        number = next(self._numbers)
        names = tuple(channels[:MAX_CHANNELS_OF_CLOSED]) if channels else ()
        record = Moment(number, self._clock.now(), kind, connection, transport, user, address, channel, detail, names)
        log = self._find_or_begin(realm)
        log.touched = number
        if len(log.moments) != MAX_MOMENTS:
            self._grew()
        log.moments.append(record)

    def published(
        self, realm: RealmId, accepted: Iterable[tuple[Item, StreamPosition | None, str]], *, via: str, key: str
    ) -> None:
        """Note that items were accepted here: each with its position, if it has one, and its outcome."""
        log, now = self._find_or_begin(realm), self._clock.now()
        published = log.published
        for item, position, outcome in accepted:
            number, size_bytes = next(self._numbers), item.size_bytes
            if size_bytes > MAX_ITEM_BYTES:
                item = without_content(item)
            log.touched = number
            if len(published) != MAX_PUBLISHED:
                self._grew()
            published.append((number, now, item, position, size_bytes, outcome, via, key))

    def refused(
        self, realm: RealmId, error: FanoutError, *, side: str, address: str, origin: str = "", user: str = ""
    ) -> None:
        """Note that somebody was turned away. The same again is counted."""
        self.note_refusal(
            realm,
            side=side,
            status=error.http_status,
            code=error.code,
            message=str(error),
            cure=error.cure,
            field=error.field or "",
            address=address,
            channel=getattr(error, "channel", None) or "",
            user=user or getattr(error, "user", None) or "",
            key=getattr(error, "key_hint", None) or "",
            origin=origin,
            ids=error.item_ids,
        )

    def note_refusal(
        self, realm: RealmId, *, side: str, status: int, code: str, message: str, cure: str, field: str, address: str,
        channel: str = "", user: str = "", key: str = "", origin: str = "", ids: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Note a refusal in words; see `Refusal`."""
        number, now = next(self._numbers), self._clock.now()
        is_known = self._knows(realm)
        log = (self._realms.get(realm) or self._begin(realm)) if is_known else self._find_stranger(realm)
        log.touched = number
        name = (side, code, address, channel, user, key, field, origin)
        known = log.refusals.pop(name, None)
        first_at, count = (now, 0) if known is None else (known.first_at, known.count)
        if known is not None:
            ids = tuple(dict.fromkeys((*ids, *known.ids)))[:MAX_IDS]
        log.refusals[name] = Refusal(
            number, first_at, now, count + 1, side, status, code, message[:MAX_TEXT_CHARACTERS],
            cure[:MAX_TEXT_CHARACTERS], field, address, channel, user, key, origin, ids,
        )  # fmt: skip
        if known is None:
            if len(log.refusals) > (MAX_REFUSALS if is_known else MAX_REFUSALS_OF_STRANGER):
                del log.refusals[next(iter(log.refusals))]
            elif is_known:
                self._grew()

    # -- bounds

    def _find_or_begin(self, realm: RealmId) -> RealmFlight:
        log = self._realms.get(realm)
        return self._begin(realm) if log is None else log

    def _begin(self, realm: RealmId) -> RealmFlight:
        log = self._realms[realm] = RealmFlight()
        return log

    def _find_stranger(self, realm: RealmId) -> RealmFlight:
        log = self._strangers.setdefault(realm, RealmFlight())
        self._strangers.move_to_end(realm)
        if len(self._strangers) > MAX_STRANGERS:
            self._strangers.popitem(last=False)
        return log

    def _grew(self) -> None:
        self._records += 1
        if self._records > MAX_RECORDS:
            self._forget_quietest()

    def _forget_quietest(self) -> None:
        realm = min(self._realms, key=lambda one: self._realms[one].touched)
        del self._realms[realm]
        self._records = sum(log.records for log in self._realms.values())

    def forget(self, realm: RealmId) -> None:
        """Forget a realm that was deleted."""
        if self._realms.pop(realm, None) is not None:
            self._records = sum(log.records for log in self._realms.values())


def without_content(item: Item) -> Item:
    """Return the item with its names, tags and formats, and nothing in them."""
    return msgspec.structs.replace(
        item,
        json_object=None if item.json_object is None else b"",
        http_stream=None if item.http_stream is None else HttpStream(),
        http_response=None if item.http_response is None else HttpResponse(),
        ws_message=None if item.ws_message is None else WsMessage(),
    )


def formats_of(item: Item) -> int:
    """Return the item's formats as bits."""
    formats = JSON if item.json_object is not None else 0
    if item.http_stream is not None:
        formats |= STREAM
    if item.http_response is not None:
        formats |= RESPONSE
    if item.ws_message is not None:
        formats |= MESSAGE
    return formats


def format_names(formats: int) -> list[str]:
    """Return the bits as the wire spells them."""
    named = {JSON: "json-object", STREAM: "http-stream", RESPONSE: "http-response", MESSAGE: "ws-message"}
    return [name for bit, name in named.items() if formats & bit]
