"""The rules by which a channel drops repeated items and puts items in order, as plain data structures.

`memory_stream` is built on these; `redis_scripts` holds the same rules in Lua.
Source: docs/topics/streams.md.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from fanoutcloud.broker.base import (
    DUPLICATE_WINDOW_S,
    MAX_REORDER_ITEMS,
    REORDER_WAIT_S,
    STREAM_IDLE_S,
)
from fanoutcloud.core.items import Item
from fanoutcloud.core.streams import StreamPosition

#: More ids than this are not remembered per channel: the oldest is then forgotten before its time.
#: 100,000 in 60 s are 1,600 items per second in one channel, each with an id: about 20 MB.
MAX_REMEMBERED_IDS = 100_000


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How a broker orders and forgets; the same for all its channels. Tests pass short times."""

    duplicate_window_s: float = DUPLICATE_WINDOW_S
    reorder_wait_s: float = REORDER_WAIT_S
    max_reorder_items: int = MAX_REORDER_ITEMS
    stream_idle_s: float = STREAM_IDLE_S


class RecentIds:
    """The ids that were published to a channel within the window, each with its position, if any yet."""

    __slots__ = ("_max_ids", "_order", "_positions", "_window_s")

    def __init__(self, window_s: float, *, max_ids: int = MAX_REMEMBERED_IDS) -> None:
        self._window_s = window_s
        self._max_ids = max_ids
        self._positions: dict[str, StreamPosition | None] = {}
        self._order: deque[tuple[float, str]] = deque()  # beside the dict, whose first entry is slow to find

    def __len__(self) -> int:
        return len(self._positions)

    def has(self, item_id: str) -> bool:
        """Tell whether the id is remembered; call `forget_old` before."""
        return item_id in self._positions

    def position_of(self, item_id: str) -> StreamPosition | None:
        """Return the position of a remembered id, or None while its item waits."""
        return self._positions[item_id]

    def remember(self, item_id: str, position: StreamPosition | None, now: float) -> None:
        """Remember the id from now on; a known one keeps its time and gets the position."""
        if item_id not in self._positions:
            self._order.append((now, item_id))
        self._positions[item_id] = position
        if len(self._order) > self._max_ids:
            del self._positions[self._order.popleft()[1]]

    def forget_old(self, now: float) -> None:
        """Forget what has left the window. Costs as much as there is to forget."""
        limit = now - self._window_s
        while self._order and self._order[0][0] <= limit:
            del self._positions[self._order.popleft()[1]]


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """An item that was accepted before its predecessor; goes out at `due_at` whatever happens."""

    item: Item
    due_at: float


class WaitingItems:
    """The items of one channel that wait for their predecessor, at most one per `prev_id`, oldest first."""

    __slots__ = ("_by_prev_id",)

    def __init__(self) -> None:
        self._by_prev_id: dict[str, WaitingItem] = {}

    def __len__(self) -> int:
        return len(self._by_prev_id)

    def has(self, prev_id: str) -> bool:
        """Tell whether an item waits for `prev_id`."""
        return prev_id in self._by_prev_id

    def add(self, prev_id: str, item: Item, due_at: float) -> None:
        """Keep `item` until `prev_id` has come or `due_at` is reached."""
        self._by_prev_id[prev_id] = WaitingItem(item, due_at)

    def take_follower(self, item_id: str) -> Item | None:
        """Take out the item that waits for `item_id`, or None."""
        waiting = self._by_prev_id.pop(item_id, None)
        return waiting.item if waiting else None

    def take_oldest(self) -> Item:
        """Take out the item that waits longest."""
        return self._by_prev_id.pop(next(iter(self._by_prev_id))).item

    def take_overdue(self, now: float) -> Iterator[Item]:
        """Take out what is due, oldest first; items may be taken by other ways in between."""
        while self._by_prev_id and next(iter(self._by_prev_id.values())).due_at <= now:
            yield self.take_oldest()

    def next_due_at(self) -> float | None:
        """Return when the first item must go, or None when nothing waits."""
        return next(iter(self._by_prev_id.values())).due_at if self._by_prev_id else None
