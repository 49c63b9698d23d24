"""What a worker does for webhooks: from the outbox and from history to rows, from rows to calls. On one event loop."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from django.db import DataError
from django.db import Error as DatabaseFailure

from fanoutcloud.broker.base import Broker
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.webhooks import NEWS_OF_ROWS, EventOutbox, HookEvent
from publishing.webhooks.database_thread import DatabaseThread
from publishing.webhooks.history_replays import HistoryReplayer
from publishing.webhooks.pump import Pump
from publishing.webhooks.relay import store_deliveries

logger = logging.getLogger(__name__)

#: Events brought to the database at once.
EVENTS_AT_ONCE = 500
#: The outbox is looked into this often while nothing is announced: announcements may be lost.
SWEEP_S = 1.0
#: So is for errands.
ERRANDS_SWEEP_S = 30.0
#: What does not answer is let be for so long.
FAILED_S = 1.0


class _Duty:
    """Something that a worker does as it comes up: at once when woken, looked for now and then, begun again after what
    does not answer was let be for a while.
    """

    #: What is logged when something does not answer.
    failure = ""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._rest_s = 0.0  # after a step in which there was something to do

    def wake(self) -> None:
        """Look for something to do now."""
        self._news.set()

    async def run(self, stopping: asyncio.Event, pump: Pump) -> None:
        """Do what there is until `stopping`; the pump is woken after each step."""
        try:
            while not stopping.is_set():
                self._news.clear()
                try:
                    if await self._step(stopping, pump):
                        pump.wake()
                        await asyncio.sleep(self._rest_s)
                        continue
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._sweep_s()):
                            await self._news.wait()
                except (Unavailable, DatabaseFailure) as error:
                    logger.warning(self.failure, extra={"why": str(error)[:200]})
                    await self._let_go()  # it may be the connection alone
                    await asyncio.sleep(FAILED_S)
        finally:
            await self._close()

    async def _step(self, stopping: asyncio.Event, pump: Pump) -> bool:
        """Do some of it; return whether there was anything. Raises `Unavailable`, `DatabaseFailure`."""
        raise NotImplementedError

    def _sweep_s(self) -> float:
        """Return how often is looked while nothing is announced."""
        raise NotImplementedError

    async def _let_go(self) -> None:
        """Let go of the database's connection."""
        raise NotImplementedError

    async def _close(self) -> None:
        raise NotImplementedError


class Relay(_Duty):
    """Brings events to the database, oldest first; only then does the outbox forget them."""

    failure = "webhook_relay_waits"

    def __init__(self, outbox: EventOutbox) -> None:
        super().__init__()
        self._outbox = outbox
        self._database = DatabaseThread("webhooks-relay")

    async def _step(self, stopping: asyncio.Event, pump: Pump) -> bool:
        await self._tell_counts(pump)
        return bool(await self.bring())

    def _sweep_s(self) -> float:
        return SWEEP_S

    async def _let_go(self) -> None:
        await self._database.let_go()

    async def _close(self) -> None:
        await self._database.close()

    async def bring(self) -> int:
        """Bring what has waited longest; return how many events that were.

        Raises:
            Unavailable: the outbox does not answer.
            DatabaseFailure: the database does not; nothing is lost.
        """
        entries = await self._outbox.take(EVENTS_AT_ONCE)
        self._rest_s = self._outbox.rest_s if len(entries) < EVENTS_AT_ONCE else 0.0
        if entries:
            events = [entry.event for entry in entries]
            await self._database.run(partial(_store, events))
            await self._outbox.done(entries)
        return len(entries)

    async def _tell_counts(self, pump: Pump) -> None:
        """Add what the pump has counted to the outbox's. Those that get lost on the way are missed by metrics alone."""
        if counts := pump.take_counts():
            await self._outbox.count(counts)


def _store(events: Sequence[HookEvent]) -> None:
    try:
        store_deliveries(events)
    except DataError:  # one that no database takes must not hold up the others for ever
        for event in events:
            _store_one(event)


def _store_one(event: HookEvent) -> None:
    try:
        store_deliveries([event])
    except DataError:
        logger.exception("webhook_event_dropped", extra={"realm": event.realm, "kind": event.kind})


class Errands(_Duty):
    """Has replays of history done as they are asked for."""

    failure = "webhook_history_waits"

    def __init__(self, replayer: HistoryReplayer) -> None:
        super().__init__()
        self._replayer = replayer

    async def _step(self, stopping: asyncio.Event, pump: Pump) -> bool:
        return await self._replayer.replay_next(stopping)

    def _sweep_s(self) -> float:
        return ERRANDS_SWEEP_S

    async def _let_go(self) -> None:
        await self._replayer.let_go()

    async def _close(self) -> None:
        await self._replayer.close()


class Engine:
    """Relay, pump and errands of one worker, on one event loop."""

    def __init__(self, outbox: EventOutbox, pump: Pump, broker: Broker) -> None:
        self._relay = Relay(outbox)
        self._errands = Errands(HistoryReplayer(broker))
        self._pump = pump

    def hear(self, news: bytes) -> None:
        """Look for what is announced on `NEWS_TOPIC`."""
        if news == NEWS_OF_ROWS:
            self._pump.wake()
            self._errands.wake()
        else:
            self._relay.wake()

    async def run(self, stopping: asyncio.Event) -> None:
        """Bring events and make calls until `stopping`, which is followed by `wake`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._pump.run(stopping))
            tasks.create_task(self._relay.run(stopping, self._pump))
            tasks.create_task(self._errands.run(stopping, self._pump))

    def wake(self) -> None:
        """Look for work, or for the end, now."""
        self._relay.wake()
        self._errands.wake()
        self._pump.wake()
