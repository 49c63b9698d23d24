"""One channel of `MemoryBroker`: positions, history, repeated ids, waiting items. Time is an argument."""

import itertools
from collections import deque

from fanoutcloud.broker.base import MAX_PAGE_BYTES, HistoryWindow, Outcome, PublishResult
from fanoutcloud.broker.sequencing import RecentIds, StreamRules, WaitingItems
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.streams import (
    EPOCH_CHANGED,
    HISTORY_EXPIRED,
    PositionLost,
    StoredItem,
    StreamPosition,
    new_epoch,
)

_WAITING = PublishResult(Outcome.WAITING, None)
_NOTHING_KEPT = Retention(items=0, age_s=0.0)


class MemoryStream:
    """One stream of items. Each method takes `now` in seconds of one monotonic clock.

    Items that go out are added to the list `out` of the call, in order; the caller delivers them afterwards.
    The retention of the newest publish holds for everything in the stream.
    """

    __slots__ = ("_ids", "_kept", "_last_id", "_retention", "_rules", "_touched_at", "_waiting", "top")

    def __init__(self, rules: StreamRules, now: float) -> None:
        self.top = StreamPosition(new_epoch(), 0)
        self._rules = rules
        self._retention = _NOTHING_KEPT
        self._kept: deque[tuple[float, StoredItem]] = deque()  # (published at, item)
        self._last_id: str | None = None
        self._ids: RecentIds | None = None  # most channels have no ids and nothing waiting: made when needed
        self._waiting: WaitingItems | None = None
        self._touched_at = now

    def publish(self, item: Item, retention: Retention, now: float, out: list[StoredItem]) -> PublishResult:
        """Take one item in; see `Broker.publish`."""
        self._retention = retention
        self._touched_at = now
        if self._waiting:
            self.let_overdue_go(now, out)
        if self._ids and item.id is not None:
            self._ids.forget_old(now)
            if self._ids.has(item.id):
                return PublishResult(Outcome.DUPLICATE, self._ids.position_of(item.id))
        if item.prev_id is not None and self._must_wait(item, item.prev_id, now, out):
            return _WAITING
        position = self._append(item, now, out)
        if self._waiting:
            self._let_followers_go(now, out)
        return PublishResult(Outcome.STORED, position)

    def let_overdue_go(self, now: float, out: list[StoredItem]) -> None:
        """Let waiting items go that are due, and those that follow on them."""
        if self._waiting:
            for item in self._waiting.take_overdue(now):
                self._append(item, now, out)
                self._let_followers_go(now, out)

    def next_due_at(self) -> float | None:
        """Return when `let_overdue_go` has something to do, or None."""
        return self._waiting.next_due_at() if self._waiting else None

    def touch(self, now: float) -> None:
        """Count as used, so that the stream lives on."""
        self._touched_at = now

    def read_since(self, since: StreamPosition, limit: int, now: float) -> list[StoredItem]:
        """Return at most `limit` kept items after `since`; see `Broker.read_since`."""
        self.touch(now)
        if since.epoch != self.top.epoch or since.offset > self.top.offset:
            raise PositionLost(EPOCH_CHANGED, self.top)
        self._forget_old_items(now)
        behind = self.top.offset - since.offset
        if behind > len(self._kept):
            raise PositionLost(HISTORY_EXPIRED, self.top)
        first = len(self._kept) - behind
        page, size_bytes = [], 0
        for _, stored in itertools.islice(self._kept, first, first + max(limit, 0)):
            page.append(stored)
            size_bytes += stored.item.size_bytes
            if size_bytes >= MAX_PAGE_BYTES:
                break
        return page

    def read_kept(self, window: HistoryWindow, now: float) -> list[tuple[float, StoredItem]]:
        """Return kept items, each with when it was published; see `Broker.read_history`."""
        self._forget_old_items(now)
        oldest = self.top.offset - len(self._kept) + 1
        first = oldest if window.after is None else max(oldest, window.after.offset + 1)
        end = self.top.offset + 1 if window.before is None else min(self.top.offset + 1, window.before.offset)
        if window.is_newest_first:
            offsets = range(end - 1, max(first, end - window.limit) - 1, -1)
        else:
            offsets = range(first, min(end, first + window.limit))
        return [self._kept[offset - oldest] for offset in offsets]

    def is_forgettable(self, now: float) -> bool:
        """Free what is over its time, and tell whether nothing is left and the stream long unused."""
        self._forget_old_items(now)
        if self._ids is not None:
            self._ids.forget_old(now)
            if not self._ids:
                self._ids = None
        is_idle = now - self._touched_at >= self._rules.stream_idle_s
        return is_idle and not self._kept and not self._waiting and not self._ids

    def _must_wait(self, item: Item, prev_id: str, now: float, out: list[StoredItem]) -> bool:
        if item.no_seq or self._last_id is None or self._last_id == prev_id:
            return False
        if self._waiting is None:
            self._waiting = WaitingItems()
        elif self._waiting.has(prev_id):
            return False  # one per `prev-id`; the second is late or wrong, but not lost
        elif len(self._waiting) >= self._rules.max_reorder_items:
            self._append(self._waiting.take_oldest(), now, out)
            self._let_followers_go(now, out)
            return self._must_wait(item, prev_id, now, out)
        self._waiting.add(prev_id, item, now + self._rules.reorder_wait_s)
        if item.id is not None:
            self._remember(item.id, None, now)
        return True

    def _let_followers_go(self, now: float, out: list[StoredItem]) -> None:
        while self._waiting and self._last_id is not None:
            follower = self._waiting.take_follower(self._last_id)
            if follower is None:
                return
            self._append(follower, now, out)

    def _append(self, item: Item, now: float, out: list[StoredItem]) -> StreamPosition:
        self.top = position = StreamPosition(self.top.epoch, self.top.offset + 1)
        stored = StoredItem(position, item)
        kept = self._kept
        kept.append((now, stored))
        if len(kept) > self._retention.items or kept[0][0] <= now - self._retention.age_s:
            self._forget_old_items(now)
        if not item.no_seq:
            self._last_id = item.id
        if item.id is not None:
            self._remember(item.id, position, now)
        out.append(stored)
        return position

    def _remember(self, item_id: str, position: StreamPosition | None, now: float) -> None:
        if self._ids is None:
            self._ids = RecentIds(self._rules.duplicate_window_s)
        self._ids.remember(item_id, position, now)

    def _forget_old_items(self, now: float) -> None:
        kept = self._kept
        while len(kept) > self._retention.items:
            kept.popleft()
        limit = now - self._retention.age_s
        while kept and kept[0][0] <= limit:
            kept.popleft()
