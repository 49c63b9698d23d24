"""One worker at a time calls an endpoint: what is promised of an endpoint holds for all workers together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils import timezone

from fanoutcloud.way_out import make_gate_rules, open_way_out
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks import pump
from publishing.webhooks.pace import MAX_AT_ONCE
from publishing.webhooks.pump import Pump
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.sender import Sender
from publishing.webhooks.serving import SERVED_FOR, Serving
from realms.services import CreatedRealm, create_realm
from tests.publishing.webhooks.conftest import item_event
from tests.publishing.webhooks.test_engine import until
from tests.publishing.webhooks.test_pump import later
from tests.servers.webhook_sink import WebhookSink

pytestmark = pytest.mark.django_db(transaction=True)

At = Callable[..., WebhookEndpoint]
Send = Callable[[], int]


@asynccontextmanager
async def running_workers(count: int, *, places: int = 200) -> AsyncIterator[list[Pump]]:
    stopping = asyncio.Event()
    async with AsyncExitStack() as ends:
        workers, tasks = [], []
        for _ in range(count):
            way_out = await ends.enter_async_context(open_way_out(settings))
            workers.append(Pump(Sender(way_out.client), make_gate_rules(settings), places=places))
            tasks.append(asyncio.create_task(workers[-1].run(stopping)))
        try:
            yield workers
        finally:
            stopping.set()
            for worker in workers:
                worker.wake()
            await asyncio.gather(*tasks)


def test_ten_calls_at_once_are_made_to_an_endpoint_by_all_workers_together(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pump, "STOP_S", 0.1)
    for path in ("/first", "/second"):
        at_sink(path, patterns=[path])
        store_deliveries([item_event(created.realm.pk, number, channel=path) for number in range(100)])
    sink.behave = lambda request: "hang"

    async def play() -> None:
        async with running_workers(3) as workers:
            await until(lambda: len(sink.received) >= 2 * MAX_AT_ONCE)
            for _ in range(5):
                for worker in workers:
                    worker.wake()
                await asyncio.sleep(0.1)

    asyncio.run(play())

    assert [len(sink.of(path)) for path in ("/first", "/second")] == [MAX_AT_ONCE] * 2


def test_a_realm_has_a_fifth_of_a_workers_places_and_nobody_else_waits_for_it(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pump, "STOP_S", 0.1)
    for number in range(4):
        at_sink(f"/mine-{number}")
    other = create_realm(owner=created.realm.owner).realm
    WebhookEndpoint.objects.create(realm=other, url=f"{sink.url}/other", patterns=["*"], events=["channel.message"])
    sink.behave = lambda request: 200 if request.path == "/other" else "hang"
    store_deliveries([item_event(created.realm.pk, number) for number in range(20)])

    async def play() -> None:
        async with running_workers(1, places=50) as (worker,):
            await until(lambda: len(sink.received) >= 10)
            await sync_to_async(store_deliveries)([item_event(other.pk, number) for number in range(200)])
            worker.wake()
            await until(lambda: len(sink.of("/other")) == 200)

    asyncio.run(play())

    counts = [len(sink.of(f"/mine-{number}")) for number in range(4)]
    assert sum(counts) == 10  # of fifty
    assert max(counts) - min(counts) <= 1


def test_when_a_worker_is_killed_another_one_goes_on_once_its_time_is_over(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    endpoint = at_sink()
    store_deliveries([item_event(created.realm.pk, 1)])
    killed = Serving()
    assert killed.take([endpoint], busy=(), most_new=1, now=timezone.now()) == {endpoint.pk}

    meanwhile = send_due()
    WebhookEndpoint.objects.update(served_until=timezone.now())
    after = send_due()

    assert (meanwhile, after) == (0, 1)


def test_an_endpoint_stays_with_its_worker_while_there_is_something_to_do(endpoint: WebhookEndpoint):
    now = timezone.now()
    mine, other = Serving(), Serving()

    def take(worker: Serving, after: timedelta, *, busy: bool = False) -> bool:
        ids = [endpoint.pk] if busy else []
        return bool(worker.take([endpoint], busy=ids, most_new=5, now=now + after))

    assert take(mine, timedelta(0))
    assert take(mine, SERVED_FOR * 0.7, busy=True)
    assert not take(other, SERVED_FOR * 1.1)
    assert take(other, SERVED_FOR * 1.8)
    assert not take(mine, SERVED_FOR * 1.9, busy=True)


def test_a_worker_takes_no_more_endpoints_than_it_has_places(created: CreatedRealm, at_sink: At):
    rows = [at_sink(f"/{number}") for number in range(5)]
    worker = Serving()
    now = timezone.now()

    first = worker.take(rows, busy=(), most_new=2, now=now)
    again = worker.take(rows, busy=(), most_new=0, now=now)

    assert (len(first), again) == (2, first)


def test_one_that_ends_leaves_all_to_others(endpoint: WebhookEndpoint):
    mine, other = Serving(), Serving()
    mine.take([endpoint], busy=(), most_new=1, now=timezone.now())

    mine.let_go()

    assert other.take([endpoint], busy=(), most_new=1, now=timezone.now()) == {endpoint.pk}


def test_nothing_is_written_while_half_of_the_time_is_left(
    endpoint: WebhookEndpoint, django_assert_num_queries: Callable[..., object]
):
    worker, now = Serving(), timezone.now()

    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        for part in (0.0, 0.1, 0.4):
            assert worker.take([endpoint], busy=[endpoint.pk], most_new=1, now=now + SERVED_FOR * part)


def test_a_pace_that_one_worker_found_is_that_of_all(
    created: CreatedRealm, sink: WebhookSink, at_sink: At, send_due: Send
):
    at_sink()
    sink.behave = lambda request: 503
    store_deliveries([item_event(created.realm.pk, number) for number in range(3)])
    WebhookEndpoint.objects.update(calls_at_once=1, failures_in_row=2)

    first = send_due()  # each time by another worker
    later()
    at_once = send_due()
    found = WebhookEndpoint.objects.get()
    WebhookEndpoint.objects.update(last_failure_at=_ago(61))
    sink.behave = lambda request: 200
    later()
    a_minute_later = send_due()

    assert found.calls_at_once == 1
    assert found.calls_per_minute == 30
    assert (first, at_once, a_minute_later) == (1, 0, 1)
    assert WebhookEndpoint.objects.get().calls_per_minute == 37  # a quarter more
    assert WebhookDelivery.objects.filter(state="waiting").count() == 2


def _ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)
