"""How fast a realm may publish to this process: one token bucket each."""

import math
from collections import OrderedDict

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import PublishRate
from fanoutcloud.core.errors import RateLimited
from fanoutcloud.core.names import RealmId

MAX_BUCKETS = 50_000


class PublishLimiter:
    """Token buckets by realm, the least recently used forgotten first (a forgotten one begins full)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[RealmId, tuple[float, float]] = OrderedDict()  # tokens, at

    def take(self, realm: RealmId, count: int, rate: PublishRate | None) -> None:
        """Take `count` items from the realm's bucket.

        More than a full bucket holds may be taken from a full one, which is then in debt: else a large request
        could never pass.

        Raises:
            RateLimited: it does not hold that many; nothing was taken.
        """
        if rate is None:
            return
        now = self._clock.monotonic()
        tokens, at = self._buckets.get(realm, (float(rate.burst_items), now))
        tokens = min(rate.burst_items, tokens + (now - at) * rate.items_per_s)
        missing = min(count, rate.burst_items) - tokens
        if missing > 0:
            raise RateLimited(
                f"this realm may publish {rate.items_per_s:,.0f} items per second, {rate.burst_items:,} at once",
                retry_after_s=max(1, math.ceil(missing / rate.items_per_s)),
            )
        self._buckets[realm] = (tokens - count, now)
        self._buckets.move_to_end(realm)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
