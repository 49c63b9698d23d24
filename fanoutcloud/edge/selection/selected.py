"""Subscribers of a channel that do not want every item as it is: the slow path of fan-out.

What a subscriber wants of one channel is its wish. Live subscribers with an equal wish and the same wire format are a
group: an item is chosen once per selection and encoded once per group, however many are in it. Channels where nobody
has a wish pay one comparison per item. Source: docs/topics/fan-out.md.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from fanoutcloud.core.merge_patch import make_merge_patch
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition

if TYPE_CHECKING:
    from fanoutcloud.edge.encoding.wire import WireFormat
    from fanoutcloud.edge.hub.subscriber import Subscriber


class Selection(Protocol):
    """Which items a subscriber gets, and in what form. Hashable: equal ones are asked once per item."""

    def choose(self, stored: StoredItem) -> StoredItem | None:
        """Return the item as these subscribers get it, or None to pass it over. Must not raise, nor wait."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a subscriber wants of one channel, where that is not all of it as it is.

    `has_delta`: items as what has changed since the one before, where that is shorter.
    """

    selection: Selection | None = None
    has_delta: bool = False

    def choose(self, stored: StoredItem) -> StoredItem | None:
        """Return the item as the subscriber gets it, or None to pass it over."""
        return stored if self.selection is None else self.selection.choose(stored)


Wishes = dict[ChannelName, Wish]


@dataclass(frozen=True, slots=True)
class Delta:
    """How an item follows from the one at `base`: a JSON Merge Patch."""

    base: StreamPosition
    patch: bytes


@runtime_checkable
class TellsDelta(Protocol):
    """A wire format that can say what has changed."""

    def delta(self, stored: StoredItem, delta: Delta) -> bytes:
        """Return the message of an item as what has changed."""


class _Group:
    """Subscribers that are sent the same: with one wire format; `is_shared` as in `Subscriber`.

    `fresh`: those who have not been sent the item before, and so can't make anything of a delta.
    """

    __slots__ = ("fresh", "is_shared", "members", "wire")

    def __init__(self, wire: "WireFormat", *, is_shared: bool) -> None:
        self.wire = wire
        self.is_shared = is_shared
        self.members: dict[Subscriber, Callable[[bytes], None]] = {}
        self.fresh: set[Subscriber] = set()

    def send(self, stored: StoredItem, own_bytes: int, delta: Delta | None) -> int:
        """Send the item to all members; return how many bytes that was, at `own_bytes` for each frame of one's own."""
        if not self.is_shared:
            size_bytes = own_bytes * len(self.members)
            for subscriber in list(self.members):
                subscriber.deliver(stored)
            return size_bytes
        if delta is not None and isinstance(self.wire, TellsDelta) and len(self.fresh) < len(self.members):
            size_bytes = self._send_delta(stored, self.wire.delta(stored, delta))
        else:
            frame = self.wire.item(stored)
            size_bytes = len(frame) * len(self.members)
            for write in list(self.members.values()):  # a write may find the subscriber slow: removes it
                write(frame)
        self.fresh.clear()
        ending = self.wire.ending(stored.item)
        if ending is not None:
            for subscriber in list(self.members):
                subscriber.end(ending)
        return size_bytes

    def _send_delta(self, stored: StoredItem, short: bytes) -> int:
        whole = self.wire.item(stored) if self.fresh else b""
        size_bytes = len(whole) * len(self.fresh) + len(short) * (len(self.members) - len(self.fresh))
        fresh = set(self.fresh)
        for subscriber, write in list(self.members.items()):
            write(whole if subscriber in fresh else short)
        return size_bytes

    def pass_over(self, stored: StoredItem) -> None:
        """Let those who keep positions of their own move on."""
        if not self.is_shared:
            for subscriber in list(self.members):
                subscriber.pass_over(stored)


class _Wanting:
    """All that have one wish.

    `is_behind`: the newest item was passed over, and they have not been told. `base`: the item they were sent last, if
    they want deltas.
    """

    __slots__ = ("base", "groups", "is_behind")

    def __init__(self) -> None:
        self.groups: dict[tuple[WireFormat, bool], _Group] = {}
        self.base: StoredItem | None = None
        self.is_behind = False


class SelectedSubscribers:
    """The live subscribers of one channel that have a wish."""

    __slots__ = ("_by_wish",)

    def __init__(self) -> None:
        self._by_wish: dict[Wish, _Wanting] = {}

    def __iter__(self) -> "Iterator[Subscriber]":
        for group in self._groups():
            yield from group.members

    @property
    def is_empty(self) -> bool:
        return not self._by_wish

    def is_behind(self, wish: Wish) -> bool:
        """Whether the newest item was passed over, so that positions that subscribers know of are older."""
        wanting = self._by_wish.get(wish)
        return wanting is not None and wanting.is_behind

    def add(self, subscriber: "Subscriber", wish: Wish, *, is_told: bool = True) -> None:
        """Send to `subscriber` from now on. Idempotent. `is_told`: it knows where it stands."""
        wanting = self._by_wish.get(wish)
        if wanting is None:
            wanting = self._by_wish[wish] = _Wanting()
        wanting.is_behind |= not is_told  # it may have come by items that were passed over
        key = subscriber.wire, subscriber.is_shared
        group = wanting.groups.get(key)
        if group is None:
            group = wanting.groups[key] = _Group(subscriber.wire, is_shared=subscriber.is_shared)
        if subscriber not in group.members:
            group.fresh.add(subscriber)
        group.members[subscriber] = subscriber.sink.write

    def forget_bases(self) -> None:
        """Send whole items next: those who are here have been told that items were lost."""
        for wanting in self._by_wish.values():
            wanting.base = None

    def remove(self, subscriber: "Subscriber", wish: Wish) -> None:
        """Send nothing more to `subscriber`. Idempotent."""
        wanting = self._by_wish.get(wish)
        if wanting is None:
            return
        key = subscriber.wire, subscriber.is_shared
        group = wanting.groups.get(key)
        if group is None:
            return
        group.fresh.discard(subscriber)
        if group.members.pop(subscriber, None) is not None and not group.members:
            del wanting.groups[key]
            if not wanting.groups:
                del self._by_wish[wish]

    def broadcast(self, stored: StoredItem, items_out: dict[str, int] | None, own_bytes: int) -> int:
        """Send the item to those who want it; return how many bytes that was, at `own_bytes` for one's own frame."""
        size_bytes = 0
        for wish, wanting in list(self._by_wish.items()):
            chosen = wish.choose(stored)
            wanting.is_behind = chosen is None
            delta = None
            if wish.has_delta and chosen is not None:
                delta, wanting.base = _make_delta(wanting.base, chosen), chosen
            for group in list(wanting.groups.values()):
                if chosen is None:
                    group.pass_over(stored)
                    continue
                if items_out is not None:
                    items_out[group.wire.transport] += len(group.members)
                size_bytes += group.send(chosen, own_bytes, delta)
        return size_bytes

    def count_by_transport(self) -> Counter[str]:
        """Return how many there are of each transport."""
        counts: Counter[str] = Counter()
        for group in self._groups():
            counts[group.wire.transport] += len(group.members)
        return counts

    def _groups(self) -> Iterator[_Group]:
        for wanting in list(self._by_wish.values()):
            yield from list(wanting.groups.values())


def _make_delta(base: StoredItem | None, stored: StoredItem) -> Delta | None:
    if base is None or base.item.json_object is None or stored.item.json_object is None:
        return None
    patch = make_merge_patch(base.item.json_object, stored.item.json_object)
    return None if patch is None else Delta(base.position, patch)
