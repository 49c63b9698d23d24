"""Relay and pump find what there is to do when they are told, or when it becomes due; they do not ask all the time."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import cast

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.conf import settings
from django.db import connections
from django.utils import timezone

from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.webhooks import NEWS_OF_EVENTS, NEWS_OF_ROWS, NEWS_TOPIC, EventOutbox, HookEvent, OutboxEntry
from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks import endpoints, engine, pump
from publishing.webhooks.engine import Engine
from publishing.webhooks.pace import MAX_AT_ONCE
from publishing.webhooks.pump import Pump
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.replays import replay_delivery, replay_since, send_test_event
from publishing.webhooks.sender import Sender
from realms.apps import RealmsConfig
from realms.services import CreatedRealm
from tests.publishing.webhooks.conftest import item_event
from tests.servers.webhook_sink import Received, WebhookSink

pytestmark = pytest.mark.django_db(transaction=True)

At = Callable[..., WebhookEndpoint]
PATIENCE_S = 20.0


class ListOutbox:
    """An outbox that counts how often it is looked into."""

    rest_s = 0.0

    def __init__(self) -> None:
        self.events: list[HookEvent] = []
        self.looks = 0
        self.calls: Counter[str] = Counter()

    async def take(self, limit: int) -> list[OutboxEntry]:
        self.looks += 1
        return [OutboxEntry(str(place), event) for place, event in enumerate(self.events)]

    async def count(self, calls: dict[str, int]) -> None:
        self.calls.update(calls)

    async def done(self, entries: list[OutboxEntry]) -> None:
        del self.events[: len(entries)]


@pytest.fixture(autouse=True)
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweeps are the safety net: whatever is found here was found without."""
    monkeypatch.setattr(engine, "SWEEP_S", 3600.0)
    monkeypatch.setattr(pump, "SWEEP_S", 3600.0)


@asynccontextmanager
async def running(outbox: ListOutbox) -> AsyncIterator[Engine]:
    async with open_way_out(settings) as way_out:
        calls = Pump(Sender(way_out.client), make_gate_rules(settings))
        worker = Engine(cast(EventOutbox, outbox), calls, MemoryBroker(SystemClock()))
        stopping = asyncio.Event()
        task = asyncio.create_task(worker.run(stopping))
        try:
            yield worker
        finally:
            stopping.set()
            worker.wake()
            await asyncio.wait_for(task, PATIENCE_S)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what it waits for is of another thread
            await asyncio.sleep(0.01)


def run(play: Callable[[], Awaitable[None]]) -> None:
    async def played() -> None:
        await play()

    asyncio.run(played())


def test_an_event_that_is_announced_is_sent_and_nobody_looks_while_there_is_none(
    created: CreatedRealm, sink: WebhookSink, at_sink: At
):
    at_sink()
    outbox = ListOutbox()

    async def play() -> None:
        async with running(outbox) as worker:
            await until(lambda: outbox.looks == 1)
            await asyncio.sleep(0.3)
            assert outbox.looks == 1
            outbox.events.append(item_event(created.realm.pk, 1))
            worker.hear(NEWS_OF_EVENTS)
            await until(lambda: len(sink.received) == 1)

    run(play)

    assert outbox.events == []
    assert WebhookDelivery.objects.get().state == "delivered"


def test_events_that_come_one_by_one_are_brought_together(created: CreatedRealm, at_sink: At):
    at_sink()
    outbox = ListOutbox()
    outbox.rest_s = 0.5
    took_s = 0.0

    async def play() -> None:
        nonlocal took_s
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with running(outbox) as worker:
            for number in range(1, 31):
                outbox.events.append(item_event(created.realm.pk, number))
                worker.hear(NEWS_OF_EVENTS)
                await asyncio.sleep(0.01)
            await until(lambda: not outbox.events)
        took_s = loop.time() - began

    run(play)

    assert WebhookDelivery.objects.count() == 30
    assert outbox.looks <= 2 * (1 + took_s / outbox.rest_s)  # one that finds something, then one that may find nothing


def test_what_becomes_due_later_is_sent_then_and_the_database_is_not_asked_meanwhile(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, monkeypatch: pytest.MonkeyPatch
):
    at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    due_at = timezone.now() + timedelta(seconds=1.5)
    WebhookDelivery.objects.update(due_at=due_at)
    visits, find = [], pump.find_due_endpoints

    def counted(now, worker):  # type: ignore[no-untyped-def]
        visits.append(now)
        return find(now, worker)

    monkeypatch.setattr(pump, "find_due_endpoints", counted)

    async def play() -> None:
        async with running(ListOutbox()):
            await until(lambda: len(sink.received) == 1)

    run(play)

    assert len([moment for moment in visits if moment < due_at]) <= 3
    assert WebhookDelivery.objects.get().state == "delivered"


def test_rows_that_somebody_else_made_due_are_sent_when_that_is_announced(
    created: CreatedRealm, sink: WebhookSink, at_sink: At
):
    endpoint = at_sink()

    async def play() -> None:
        async with running(ListOutbox()) as worker:
            await asyncio.sleep(0.3)
            await sync_to_async(send_test_event)(realm=created.realm, endpoint_id=endpoint.pk)
            worker.hear(NEWS_OF_ROWS)
            await until(lambda: len(sink.received) == 1)

    run(play)

    [delivery] = WebhookDelivery.objects.all()
    assert (delivery.kind, delivery.state) == ("webhook.test", "delivered")


def test_an_endpoint_that_hangs_holds_its_own_places_and_nobody_else_waits_for_it(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pump, "STOP_S", 0.1)
    at_sink("/hangs", patterns=["hangs"])
    at_sink("/quick", patterns=["quick"])
    sink.behave = lambda request: "hang" if request.path == "/hangs" else 200
    store_deliveries([item_event(created.realm.pk, number, channel="hangs") for number in range(100)])

    async def play() -> None:
        async with running(ListOutbox()) as worker:
            await until(lambda: len(sink.of("/hangs")) == MAX_AT_ONCE)
            await sync_to_async(store_deliveries)(
                [item_event(created.realm.pk, number, channel="quick") for number in range(100)]
            )
            worker.hear(NEWS_OF_ROWS)
            await until(lambda: len(sink.of("/quick")) == 100)

    run(play)

    assert len(sink.of("/hangs")) == MAX_AT_ONCE
    quick = WebhookDelivery.objects.filter(channel="quick")
    assert set(quick.values_list("state", flat=True)) == {"delivered"}


def test_an_endpoint_that_is_forgotten_while_the_database_is_asked_harms_nobody(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pump, "MAX_LANES", 0)  # each is forgotten when nothing is left of it
    at_sink()
    find, is_asking, has_answered = pump.find_due_endpoints, threading.Event(), threading.Event()

    def find_late(now: datetime, worker: str) -> list[WebhookEndpoint]:
        found = find(now, worker)
        if sink.received and not has_answered.is_set():  # the call is under way, and ends while this is
            is_asking.set()
            has_answered.wait(PATIENCE_S)
            time.sleep(0.2)
        return found

    def answer_late(request: Received) -> int:
        is_asking.wait(PATIENCE_S)
        has_answered.set()
        return 200

    monkeypatch.setattr(pump, "find_due_endpoints", find_late)
    sink.behave = answer_late
    store_deliveries([item_event(created.realm.pk, 1)])

    async def play() -> None:
        async with running(ListOutbox()) as worker:
            await until(has_answered.is_set)
            await sync_to_async(store_deliveries)([item_event(created.realm.pk, 2)])
            worker.hear(NEWS_OF_ROWS)
            await until(lambda: len(sink.received) == 2)

    run(play)

    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_whatever_makes_rows_due_is_announced(created: CreatedRealm, at_sink: At, monkeypatch: pytest.MonkeyPatch):
    heard: list[tuple[str, bytes]] = []

    class Listening:
        def announce(self, topic: str, payload: bytes) -> None:
            if topic == NEWS_TOPIC:
                heard.append((topic, payload))

    monkeypatch.setattr(cast(RealmsConfig, apps.get_app_config("realms")), "announcer", Listening())
    endpoint = at_sink()
    own = {"realm": created.realm, "endpoint_id": endpoint.pk}

    delivery = send_test_event(**own)
    replay_delivery(realm=created.realm, delivery_id=delivery.pk)
    WebhookDelivery.objects.update(state="dead")
    replay_since(**own, since=timezone.now() - timedelta(hours=1))
    endpoints.pause_endpoint(**own)
    endpoints.resume_endpoint(**own)

    assert heard == [(NEWS_TOPIC, NEWS_OF_ROWS)] * 4


def test_relays_of_several_workers_store_each_event_once_and_in_order(created: CreatedRealm, at_sink: At):
    ordered = at_sink(is_ordered=True)
    at_sink("/other")
    events = [item_event(created.realm.pk, number) for number in range(300)]
    together = threading.Barrier(3)

    def store(part: list[HookEvent]) -> int:
        together.wait(PATIENCE_S)
        try:
            return store_deliveries(part)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as workers:
        counts = list(workers.map(store, [events[:200], events, events[:250]]))

    assert sum(counts) == 600
    assert WebhookDelivery.objects.count() == 600
    positions = WebhookDelivery.objects.filter(endpoint=ordered).order_by("pk").values_list("position", flat=True)
    assert list(positions) == [event.position for event in events]
