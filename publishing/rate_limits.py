"""What a realm may publish: items per second over all processes, bytes per item, and nothing while it owes egress."""

from collections import Counter
from collections.abc import Sequence

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.limit_store import LimitStore
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.broker.token_leases import IDLE_S, TokenLeases
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import Rate, RealmSnapshot
from fanoutcloud.core.errors import ItemTooLarge, LimitReached
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
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
        store = store or MemoryLimitStore(clock)
        self.leases = TokenLeases(store, "publish_items", clock)
        #: Of channels whose rule has a rate, by `REALM/CHANNEL`; no realm's id holds a slash.
        self._of_channels = TokenLeases(store, "publish_items", clock)
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
        if limits.item_bytes is not None or realm.rules:
            self._check_sizes(items, realm)
        if self._egress is not None:
            self._egress.check(realm.realm, limits)
        if realm.rules:
            await self._take_of_channels(realm, items)
        rate = limits.publish_items
        if rate is None:
            return
        if (wait_s := await self.leases.take(realm.realm, len(items), rate)) > 0:
            raise self._refusal(rate, wait_s)

    def _check_sizes(self, items: Sequence[Item], realm: RealmSnapshot) -> None:
        limit_bytes = realm.limits.item_bytes
        if not realm.rules and (limit_bytes is None or all(item.size_bytes <= limit_bytes for item in items)):
            return  # as nearly always: only a refusal needs to know more
        for index, item in enumerate(items):
            rule = realm.rules.find(item.channel)
            limit_bytes = realm.limits.item_bytes if rule.item_bytes is None else rule.item_bytes
            if limit_bytes is not None and (size_bytes := item.size_bytes) > limit_bytes:
                self._statistics.hits["item_bytes"] += 1
                whose = "the realm's limit" if rule.item_bytes is None else f"the limit of the rule {rule.pattern}"
                raise ItemTooLarge(size_bytes, limit_bytes, field=f"items[{index}]", whose=whose)

    async def _take_of_channels(self, realm: RealmSnapshot, items: Sequence[Item]) -> None:
        """Let the items into their channels. What one channel has given is not given back if another refuses."""
        for channel, count in Counter(item.channel for item in items).items():
            rate = realm.rules.find(channel).publish_items
            if rate is None:
                continue
            name = RealmId(f"{realm.realm}/{channel}")
            if (wait_s := await self._of_channels.take(name, count, rate)) > 0:
                self._statistics.hits["channel_items"] += 1
                value = f"{rate.per_s:,.0f} items per second, {rate.burst:,} at once, on channel {channel!r}"
                raise LimitReached("channel_items", value, retry_after_s=wait_s)

    async def give_back_idle(self, *, idle_s: float = IDLE_S) -> None:
        """Give back what was leased and not used for `idle_s`."""
        await self.leases.give_back_idle(idle_s=idle_s)
        await self._of_channels.give_back_idle(idle_s=idle_s)

    def _refusal(self, rate: Rate, wait_s: float) -> LimitReached:
        self._statistics.hits["publish_items"] += 1
        value = f"{rate.per_s:,.0f} items per second, {rate.burst:,} at once"
        return LimitReached("publish_items", value, retry_after_s=wait_s)
