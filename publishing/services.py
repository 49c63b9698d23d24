"""Publishing: check the rate, hand to the broker, tell who watches. Used by the API and by pages."""

from collections.abc import Sequence
from itertools import groupby

from fanoutcloud.broker.base import Broker, Outcome, PublishResult
from fanoutcloud.broker.item_outbox import ItemOutbox
from fanoutcloud.broker.pattern_board import PatternBoard
from fanoutcloud.core.activity import VIA_OF_CLIENTS, VIA_XMPP, ActivitySink, Published, preview_of
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.flight import FlightRecorder
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.stanza_format import check_receivers
from fanoutcloud.core.statistics import PublishStatistics
from fanoutcloud.core.usage import UsageMeter
from fanoutcloud.core.webhooks import HookEvent
from publishing.rate_limits import PublishLimiter
from publishing.webhooks.triggers import events_of_items

#: What nearly all outcomes are: asking an enumeration for a value costs more than to know it.
_STORED = Outcome.STORED.value
#: What became of items, and their events that are yet to be put into the outbox.
_StoredItems = tuple[list[PublishResult], list[HookEvent]]


class Publisher:
    """One per process, made by the composition."""

    def __init__(
        self,
        *,
        broker: Broker,
        activity: ActivitySink,
        limiter: PublishLimiter,
        clock: Clock,
        statistics: PublishStatistics | None = None,
        usage: UsageMeter | None = None,
        board: PatternBoard | None = None,
        outbox: ItemOutbox | None = None,
        flight: FlightRecorder | None = None,
    ) -> None:
        """`board` knows which patterns subscribers follow, `outbox` takes what webhooks are called with."""
        self._broker = broker
        self._activity = activity
        self._limiter = limiter
        self._clock = clock
        self._statistics = statistics or PublishStatistics()
        self._usage = usage
        self._board = board
        self._outbox = outbox
        self._flight = flight or FlightRecorder(clock)

    def check_limits(self, realm: RealmSnapshot) -> None:
        """Raise `LimitReached` if the realm can't publish anything now: known without a look at the items."""
        self._limiter.check(realm)

    async def publish_items(
        self, realm: RealmSnapshot, items: Sequence[Item], *, via: str, key_hint: str | None = None
    ) -> list[PublishResult]:
        """Store the items in order; return one result each. `via` and `key_hint` are shown to who watches.

        Raises:
            InvalidItem: a stanza is for an address that gets nothing of its channel; nothing was stored.
            ItemTooLarge: an item is larger than the realm allows; nothing was stored.
            LimitReached: the realm publishes too fast, its subscribers were sent too much, or its webhooks have fallen
                too far behind; nothing was stored.
            Unavailable: the broker does not answer; repeat with the same ids.

        Where webhooks want an item, the answer waits until its event is stored, too; subscribers do not.
        """
        check_receivers(items, realm.xmpp)
        events = self._events_of(realm, items, via)
        if events and self._outbox is not None:
            self._outbox.check_room(realm.realm)
        await self._limiter.take(realm, items)
        if self._board is not None and self._board.is_followed(realm.realm):
            await self._board.tell_coming(realm.realm, items)
        begin_s = self._clock.monotonic()
        results, unput = await self._store(realm, items, events)
        self._statistics.broker_answers.observe(self._clock.monotonic() - begin_s)
        outcomes = [_STORED if result.outcome is Outcome.STORED else result.outcome.value for result in results]
        self._statistics.items.update(outcomes)
        if self._usage is not None:
            self._usage.received(realm.realm, len(outcomes) - outcomes.count(Outcome.DUPLICATE.value))
        accepted = zip(items, [result.position for result in results], outcomes, strict=True)
        self._flight.published(realm.realm, accepted, via=via, key=key_hint or "")
        if self._activity.is_watched(realm.realm):
            for item, result in zip(items, results, strict=True):
                self._tell(realm, item, result, via=via, key_hint=key_hint)
        if unput and self._outbox is not None:
            await self._outbox.put(unput)
        return results

    def _events_of(self, realm: RealmSnapshot, items: Sequence[Item], via: str) -> list[HookEvent | None]:
        """Return the event of each item, or None; of no item if no endpoint wants any."""
        if not realm.webhooks or self._outbox is None:
            return []
        events = events_of_items(realm, items, at=self._clock.now(), is_clients=via in VIA_OF_CLIENTS)
        return events if any(events) else []

    async def _store(
        self, realm: RealmSnapshot, items: Sequence[Item], events: Sequence[HookEvent | None]
    ) -> _StoredItems:
        """Store the items, each kept by the rule of its channel; neighbours that are kept alike go together."""
        if not realm.rules:
            return await self._store_alike(realm.realm, items, events, realm.retention)
        results: list[PublishResult] = []
        unput: list[HookEvent] = []
        for retention, run in groupby(items, lambda item: realm.rules.find(item.channel).retention or realm.retention):
            alike, begin = list(run), len(results)
            stored = await self._store_alike(realm.realm, alike, events[begin : begin + len(alike)], retention)
            results += stored[0]
            unput += stored[1]
        return results, unput

    async def _store_alike(
        self, realm: RealmId, items: Sequence[Item], events: Sequence[HookEvent | None], retention: Retention
    ) -> _StoredItems:
        if self._outbox is None or not any(events):
            return await self._broker.publish(realm, items, retention=retention), []
        return await self._outbox.publish(realm, items, events, retention=retention)

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
                user=item.user or "",
                transport="xmpp" if via in VIA_XMPP else "",
            ),
        )
