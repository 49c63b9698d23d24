"""Publishing: check the rate, hand to the broker, tell who watches. Used by the API and by pages."""

from collections.abc import Sequence

from fanoutcloud.broker.base import Broker, PublishResult
from fanoutcloud.core.activity import ActivitySink, Published, preview_of
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.items import Item
from publishing.rate_limits import PublishLimiter


class Publisher:
    """One per process, made by the composition."""

    def __init__(self, *, broker: Broker, activity: ActivitySink, limiter: PublishLimiter, clock: Clock) -> None:
        self._broker = broker
        self._activity = activity
        self._limiter = limiter
        self._clock = clock

    async def publish_items(
        self, realm: RealmSnapshot, items: Sequence[Item], *, via: str, key_hint: str | None = None
    ) -> list[PublishResult]:
        """Store the items in order; return one result each. `via` and `key_hint` are shown to who watches.

        Raises:
            RateLimited: the realm publishes too fast; nothing was stored.
            Unavailable: the broker does not answer; repeat with the same ids.
        """
        self._limiter.take(realm.realm, len(items), realm.publish_rate)
        results = await self._broker.publish(realm.realm, items, retention=realm.retention)
        if self._activity.is_watched(realm.realm):
            for item, result in zip(items, results, strict=True):
                self._tell(realm, item, result, via=via, key_hint=key_hint)
        return results

    def _tell(self, realm: RealmSnapshot, item: Item, result: PublishResult, *, via: str, key_hint: str | None) -> None:
        self._activity.record(
            realm.realm,
            Published(
                at=self._clock.now(),
                channel=item.channel,
                position=str(result.position) if result.position else None,
                id=item.id,
                size_bytes=item.size_bytes,
                formats=item.formats,
                preview=preview_of(item.first_content),
                via=via,
                key=key_hint,
                outcome=result.outcome.value,
            ),
        )
