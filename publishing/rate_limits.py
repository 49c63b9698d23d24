"""What a realm may publish: items per second over all processes, bytes per item, and nothing while it owes egress."""

from collections.abc import Sequence

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.limit_store import LimitStore
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.token_leases import TokenLeases
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate, RealmSnapshot
from fanoutcloud.core.errors import ItemTooLarge, LimitReached
from fanoutcloud.core.items import Item
from fanoutcloud.core.statistics import LimitStatistics


class PublishLimiter:
    """The limits of publishing, one per process. Without a `store` they are this process's own."""

    def __init__(
        self,
        clock: Clock,
        *,
        store: LimitStore | None = None,
        egress: EgressMeter | None = None,
        statistics: LimitStatistics | None = None,
    ) -> None:
        self.leases = TokenLeases(store or MemoryLimitStore(clock), "publish_items", clock)
        self._egress = egress
        self._statistics = statistics or LimitStatistics()

    def check(self, realm: RealmSnapshot) -> None:
        """Raise `LimitReached` if not even one item could be published now: before a body is parsed. Costs no wait."""
        if self._egress is not None:
            self._egress.check(realm.realm, realm.limits)
        rate = realm.limits.publish_items
        if rate is not None and (wait_s := self.leases.refusal_s(realm.realm, 1, rate)) > 0:
            raise self._refusal(rate, wait_s)

    async def take(self, realm: RealmSnapshot, items: Sequence[Item]) -> None:
        """Let the items be published, or raise and take nothing. Waits only for a new lease of tokens, 0.5 s at most.

        Raises:
            ItemTooLarge: an item holds more than the realm allows; names its place.
            LimitReached: they are too many for now, or the realm owes egress.
        """
        limits = realm.limits
        if limits.item_bytes is not None:
            self._check_sizes(items, limits.item_bytes)
        if self._egress is not None:
            self._egress.check(realm.realm, limits)
        rate = limits.publish_items
        if rate is None:
            return
        if (wait_s := await self.leases.take(realm.realm, len(items), rate)) > 0:
            raise self._refusal(rate, wait_s)

    def _check_sizes(self, items: Sequence[Item], limit_bytes: int) -> None:
        for index, item in enumerate(items):
            if (size_bytes := item.size_bytes) > limit_bytes:
                self._statistics.hits["item_bytes"] += 1
                raise ItemTooLarge(size_bytes, limit_bytes, field=f"items[{index}]")

    def _refusal(self, rate: Rate, wait_s: float) -> LimitReached:
        self._statistics.hits["publish_items"] += 1
        value = f"{rate.per_s:,.0f} items per second, {rate.burst:,} at once"
        return LimitReached("publish_items", value, retry_after_s=wait_s)
