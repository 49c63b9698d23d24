"""What history holds is sent again: since a moment, or since an endpoint was disabled; and nothing of it twice."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from django.utils import timezone

from accounts.models import User
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.items import HttpRequest, Item
from fanoutcloud.core.names import ChannelName, RealmId
from publishing.models import HistoryReplay, WebhookDelivery, WebhookEndpoint
from publishing.webhooks import history_replays
from publishing.webhooks.database_thread import DatabaseThread
from publishing.webhooks.endpoints import disable_endpoint, remove_endpoint, resume_endpoint
from publishing.webhooks.errors import EndpointDisabled, EndpointNotFound, NothingMissed, TooManyReplays
from publishing.webhooks.history_replays import HistoryReplayer, ask_for_history
from publishing.webhooks.relay import store_deliveries
from publishing.webhooks.triggers import event_of_history
from realms.services import CreatedRealm
from tests.factories import make_realm
from tests.publishing.webhooks.conftest import item_event

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")
KEEP = Retention(items=1000, age_s=3600)


@pytest.fixture
def replay(created: CreatedRealm) -> Callable[..., list[bool]]:
    """Publish items, then have errands done until there is none, or so many."""

    def run(items: Sequence[Item], *, errands: int = 3) -> list[bool]:
        async def play() -> list[bool]:
            broker = MemoryBroker(SystemClock())
            replayer = HistoryReplayer(broker)
            await broker.publish(RealmId(created.realm.pk), items, retention=KEEP)
            await broker.publish(RealmId("another"), [item(99)], retention=KEEP)
            # As if asked for now; the broker's clock may be ahead a bit.
            asked_at = timezone.now() + timedelta(seconds=1)
            await in_database(partial(HistoryReplay.objects.update, asked_at=asked_at))
            done = [await replayer.replay_next() for _ in range(errands)]
            await replayer.close()
            return done

        return asyncio.run(play())

    return run


async def in_database(work: Callable[[], T]) -> T:
    thread = DatabaseThread("test")
    try:
        return await thread.run(work)
    finally:
        await thread.close()


def item(number: int, channel: str = "door", **more: Any) -> Item:
    return Item(ChannelName(channel), json_object=b'{"n":%d}' % number, **more)


def channels() -> list[str]:
    return sorted(WebhookDelivery.objects.values_list("channel", flat=True))


def an_hour_ago() -> datetime:
    return timezone.now() - timedelta(hours=1)


def test_everything_since_a_moment_is_sent_under_new_ids_and_asking_twice_changes_nothing(
    created: CreatedRealm, endpoint: WebhookEndpoint, replay: Callable[..., list[bool]]
):
    since, ask = an_hour_ago(), partial(ask_for_history, realm=created.realm, endpoint_id=endpoint.pk)
    items = [item(number) for number in range(250)]

    async def play() -> list[set[str]]:
        broker = MemoryBroker(SystemClock())
        replayer = HistoryReplayer(broker)
        await broker.publish(RealmId(created.realm.pk), items, retention=KEEP)
        found = []
        for moment in (since, since, since + timedelta(seconds=1)):
            await in_database(partial(ask, since=moment))
            assert await replayer.replay_next()
            found.append(set(await in_database(lambda: list(_ids()))))
        await replayer.close()
        return found

    first, again, other = asyncio.run(play())
    order = [bytes(row.body) for row in WebhookDelivery.objects.order_by("pk")[:250]]
    assert (len(first), len(again), len(other)) == (250, 250, 500)
    assert first == again < other
    assert all(b'{"n":%d}' % number in body for number, body in enumerate(order))
    assert list(HistoryReplay.objects.order_by("pk").values_list("stored", flat=True)) == [250, 0, 250]


def _ids() -> Any:
    return WebhookDelivery.objects.values_list("webhook_id", flat=True)


def test_what_was_missed_while_it_was_disabled_is_sent_under_the_ids_that_it_has_anyway(
    created: CreatedRealm, endpoint: WebhookEndpoint
):
    disable_endpoint(realm=created.realm, endpoint_id=endpoint.pk)
    long_before = timezone.now() - timedelta(hours=3)
    WebhookEndpoint.objects.update(state_since=long_before)
    resumed = resume_endpoint(realm=created.realm, endpoint_id=endpoint.pk)

    async def play() -> str:
        broker = MemoryBroker(SystemClock())
        await broker.publish(RealmId(created.realm.pk), [item(1), item(2)], retention=KEEP)
        from_history = await broker.read_history(
            RealmId(created.realm.pk), ChannelName("door"), history_replays.HistoryWindow()
        )
        event = event_of_history(RealmId(created.realm.pk), from_history.items[0])
        await in_database(partial(store_deliveries, [event]))  # one came by itself, just after it was resumed
        replayer = HistoryReplayer(broker)
        await in_database(partial(ask_for_history, realm=created.realm, endpoint_id=endpoint.pk))
        assert await replayer.replay_next()
        await replayer.close()
        return event.key

    asyncio.run(play())

    assert resumed.missed_since == long_before
    assert WebhookDelivery.objects.count() == 2
    assert (HistoryReplay.objects.get().stored, HistoryReplay.objects.get().is_missed) == (1, True)
    with pytest.raises(NothingMissed):
        ask_for_history(realm=created.realm, endpoint_id=endpoint.pk)


def test_only_what_the_endpoint_wants_is_sent_and_only_to_it(
    created: CreatedRealm, add: Callable[..., Any], replay: Callable[..., list[bool]]
):
    mine = add(patterns=["orders.*", "door"]).endpoint
    add()
    ask_for_history(realm=created.realm, endpoint_id=mine.pk, since=an_hour_ago())
    nothing = Item(ChannelName("door"), ws_message=None)

    done = replay(
        [
            item(1), item(2, "orders.7"), item(3, "roof"), item(4, "orders.8"), nothing,
            Item(ChannelName("door"), http_request=HttpRequest("PUT", (), b"x")),
        ]
    )  # fmt: skip

    assert done == [True, False, False]
    assert channels() == ["door", "door", "orders.7", "orders.8"]
    assert set(WebhookDelivery.objects.values_list("endpoint", flat=True)) == {mine.pk}
    assert HistoryReplay.objects.get().finished_at is not None


def test_what_clients_published_is_sent_to_who_wants_that(
    created: CreatedRealm, add: Callable[..., Any], replay: Callable[..., list[bool]]
):
    endpoint = add(events=["client.message"]).endpoint
    ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago())

    replay([item(1), item(2, user="bob")])

    assert b'"user":"bob"' in bytes(WebhookDelivery.objects.get().body)


def test_what_is_older_stays(created: CreatedRealm, endpoint: WebhookEndpoint, replay: Callable[..., list[bool]]):
    ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=timezone.now() + timedelta(hours=1))

    replay([item(1)])

    assert (channels(), HistoryReplay.objects.get().stored) == ([], 0)


def test_an_errand_has_an_end_and_says_so(
    created: CreatedRealm,
    endpoint: WebhookEndpoint,
    replay: Callable[..., list[bool]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(history_replays, "MAX_EVENTS", 150)
    ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago())

    replay([item(number) for number in range(250)])

    row = HistoryReplay.objects.get()
    assert (row.stored, row.is_cut, WebhookDelivery.objects.count()) == (100, True, 100)
    assert row.finished_at is not None


def test_an_errand_of_a_worker_that_was_killed_is_done_by_another_when_its_lease_has_ended(
    created: CreatedRealm, endpoint: WebhookEndpoint, replay: Callable[..., list[bool]]
):
    ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago())
    HistoryReplay.objects.update(lease_until=timezone.now() + timedelta(minutes=1))
    while_leased = replay([item(1)])
    HistoryReplay.objects.update(lease_until=timezone.now())
    after = replay([item(1)])

    assert (while_leased, after) == ([False] * 3, [True, False, False])
    assert channels() == ["door"]


def test_a_worker_that_stops_leaves_its_errand_to_others(created: CreatedRealm, endpoint: WebhookEndpoint):
    async def play() -> None:
        broker, stopping = MemoryBroker(SystemClock()), asyncio.Event()
        await broker.publish(RealmId(created.realm.pk), [item(1)], retention=KEEP)
        await in_database(partial(ask_for_history, realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago()))
        stopping.set()
        replayer = HistoryReplayer(broker)
        await replayer.replay_next(stopping)
        await replayer.close()

    asyncio.run(play())

    assert (HistoryReplay.objects.get().finished_at, channels()) == (None, [])


def test_an_errand_ends_with_its_endpoint(
    created: CreatedRealm, endpoint: WebhookEndpoint, replay: Callable[..., list[bool]]
):
    ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago())
    remove_endpoint(realm=created.realm, endpoint_id=endpoint.pk)

    assert replay([item(1)]) == [False] * 3


def test_one_that_waits_is_not_asked_for_twice_and_not_many_wait(created: CreatedRealm, endpoint: WebhookEndpoint):
    since = an_hour_ago()
    first = ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=since)
    again = ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=since)
    for number in range(history_replays.MAX_WAITING - 1):
        ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=since - timedelta(hours=number + 1))

    assert first == again
    with pytest.raises(TooManyReplays):
        ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=timezone.now())


def test_a_disabled_or_foreign_endpoint_is_sent_nothing(
    created: CreatedRealm, endpoint: WebhookEndpoint, charlie: User
):
    disable_endpoint(realm=created.realm, endpoint_id=endpoint.pk)

    with pytest.raises(EndpointDisabled):
        ask_for_history(realm=created.realm, endpoint_id=endpoint.pk, since=an_hour_ago())
    with pytest.raises(EndpointNotFound):
        ask_for_history(realm=make_realm(charlie).realm, endpoint_id=endpoint.pk, since=an_hour_ago())
    assert store_deliveries([item_event(created.realm.pk, 1)], endpoint_id=endpoint.pk) == 0
    assert not HistoryReplay.objects.exists()
