"""Sending an endpoint what its channels' history holds: all since a moment, or what it missed while it was disabled.

An errand is a row first. A worker brings it to its end in steps, and another one goes on when its lease has ended;
whoever does a step twice stores nothing twice, since ids follow from events, and from what was asked.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from fanoutcloud.broker.base import Broker, HistoryWindow
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern, parse_pattern
from fanoutcloud.core.webhooks import HookEvent
from publishing.models import HistoryReplay, WebhookEndpoint
from publishing.webhooks.database_thread import DatabaseThread
from publishing.webhooks.endpoints import lock_endpoint, thing_of
from publishing.webhooks.errors import EndpointDisabled, NothingMissed, TooManyReplays
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.triggers import event_of_history
from realms.announcements import announce_webhooks
from realms.audit import Action, note
from realms.models import Realm

logger = logging.getLogger(__name__)

#: Errands of one endpoint that wait.
MAX_WAITING = 5
#: One errand ends, and says so, when it has found so much.
MAX_EVENTS = 100_000
MAX_CHANNELS = 10_000
PAGE = 100
#: Whoever does an errand has it for so long after each step.
LEASE = timedelta(seconds=60)
#: Clocks of machines differ: what was published a little before an endpoint was disabled is looked at, too. It has the
#: id that it had, so it is not sent twice.
MARGIN = timedelta(seconds=60)


@transaction.atomic
def ask_for_history(*, realm: Realm, endpoint_id: int, since: datetime | None = None) -> HistoryReplay:
    """Have an endpoint sent what history holds since a moment, each event under a new id that follows from the moment.

    Without one: what it missed while it was disabled, under the ids that the events have anyway. To ask for the same
    again changes nothing.

    Raises:
        EndpointNotFound: the realm has no such endpoint.
        EndpointDisabled: it is disabled.
        NothingMissed: it was not disabled, or what it missed is being sent already.
        TooManyReplays: `MAX_WAITING` of its errands wait.
    """
    endpoint = lock_endpoint(realm, endpoint_id)
    if endpoint.state == WebhookEndpoint.State.DISABLED:
        raise EndpointDisabled
    is_missed = since is None
    since = since or endpoint.missed_since
    if since is None:
        raise NothingMissed
    waiting = HistoryReplay.objects.filter(endpoint=endpoint, finished_at=None)
    if (same := waiting.filter(since=since, is_missed=is_missed).first()) is not None:
        return same
    if waiting.count() >= MAX_WAITING:
        raise TooManyReplays(MAX_WAITING)
    if is_missed:
        endpoint.missed_since = None
        endpoint.save(update_fields=["missed_since"])
    note(realm, Action.WEBHOOK_REPLAYED, f"history since {since:%Y-%m-%d %H:%M} → {thing_of(endpoint)}")
    announce_webhooks()
    return HistoryReplay.objects.create(endpoint=endpoint, since=since, is_missed=is_missed)


@dataclass(frozen=True, slots=True)
class _Errand:
    """One row, claimed. Times are in seconds since 1970; `name` is part of the ids, or empty."""

    id: int
    realm: RealmId
    endpoint_id: int
    patterns: tuple[ChannelPattern, ...]
    since: float
    until: float
    name: str


class HistoryReplayer:
    """Does errands, one after the other. Lives on one event loop."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._database = DatabaseThread("webhooks-history")

    async def replay_next(self, stopping: asyncio.Event | None = None) -> bool:
        """Do the errand that has waited longest; False: none waits. `stopping` leaves it to others after a step.

        Raises:
            Unavailable: the broker does not answer.
            DatabaseFailure: the database does not. Either way somebody goes on when the lease has ended.
        """
        errand = await self._database.run(_claim)
        if errand is None:
            return False
        found = 0
        async for events in self._pages(errand):
            if stopping is not None and stopping.is_set():
                return True
            if found + len(events) > MAX_EVENTS:
                await self._database.run(lambda: _finish(errand, is_cut=True))
                return True
            found += len(events)
            if not await self._database.run(lambda events=events: _store(errand, events)):  # type: ignore[misc]
                return True
        await self._database.run(lambda: _finish(errand, is_cut=False))
        return True

    async def let_go(self) -> None:
        """Let go of the database's connection, which may be broken."""
        await self._database.let_go()

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    async def _pages(self, errand: _Errand) -> AsyncIterator[Sequence[HookEvent]]:
        """Go through what history holds of the endpoint's channels, each one's oldest first."""
        for channel in await self._channels(errand):
            after = None
            while True:
                window = HistoryWindow(after=after, limit=PAGE)
                history = await self._broker.read_history(errand.realm, channel, window)
                if not history.items or history.is_other_epoch:
                    break
                after = history.items[-1].position
                kept = [one for one in history.items if errand.since <= one.published_at < errand.until]
                if kept:
                    yield [event_of_history(errand.realm, one, replay=errand.name) for one in kept]

    async def _channels(self, errand: _Errand) -> list[ChannelName]:
        names = {ChannelName(one.text): None for one in errand.patterns if not one.is_prefix}
        for pattern in errand.patterns:
            if pattern.is_prefix:
                found = await self._broker.list_channels(errand.realm, prefix=pattern.text, limit=MAX_CHANNELS)
                names |= dict.fromkeys(sorted(found))
        return list(names)[:MAX_CHANNELS]


def _claim() -> _Errand | None:
    now = timezone.now()
    rows = HistoryReplay.objects.filter(finished_at=None, lease_until__lte=now).select_related("endpoint")
    for row in rows.order_by("pk")[:MAX_WAITING]:
        mine = HistoryReplay.objects.filter(pk=row.pk, finished_at=None, lease_until=row.lease_until)
        if mine.update(lease_until=now + LEASE):
            return _read(row, now)
    return None


def _read(row: HistoryReplay, now: datetime) -> _Errand:
    since = row.since - MARGIN if row.is_missed else row.since
    return _Errand(
        id=row.pk,
        realm=RealmId(row.endpoint.realm_id),
        endpoint_id=row.endpoint_id,
        patterns=tuple(parse_pattern(text) for text in row.endpoint.patterns),
        since=since.timestamp(),
        until=(now if row.is_missed else row.asked_at).timestamp(),
        name="" if row.is_missed else f"since:{int(row.since.timestamp() * 1000)}",
    )


def _store(errand: _Errand, events: Sequence[HookEvent]) -> bool:
    """Store deliveries; return whether the errand goes on: not if its endpoint was removed meanwhile."""
    with transaction.atomic():
        stored = store_deliveries(events, endpoint_id=errand.endpoint_id)
        mine = HistoryReplay.objects.filter(pk=errand.id, finished_at=None)
        return bool(mine.update(stored=F("stored") + stored, lease_until=timezone.now() + LEASE))


def _finish(errand: _Errand, *, is_cut: bool) -> None:
    HistoryReplay.objects.filter(pk=errand.id).update(finished_at=timezone.now(), is_cut=is_cut)
    logger.info("webhook_history_replayed", extra={"endpoint": errand.endpoint_id, "is_cut": is_cut})
