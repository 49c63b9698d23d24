"""Items and their events for webhooks: one suite for all brokers, whether or not one write holds both."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from fanoutcloud.broker.base import Broker, Outcome, PublishResult
from fanoutcloud.broker.event_outboxes import make_event_outbox
from fanoutcloud.broker.item_outbox import ItemOutbox
from fanoutcloud.broker.memory_event_outbox import MemoryEventOutbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.errors import LimitReached, Unavailable
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.webhooks import HookEvent, item_key
from tests.contracts.brokers import KEEP, RecordingListener, World, item, texts
from tests.fakes.clock import SteppedClock

AT = 1_000.0
HELLO = ChannelName("hello")


async def open_outbox(world: World) -> tuple[Broker, ItemOutbox]:
    """Return a broker and its outbox, in which nothing waits."""
    broker, _ = await world.open()
    outbox = make_event_outbox(broker, SystemClock())
    if isinstance(outbox, MemoryEventOutbox):
        outbox = MemoryEventOutbox(broker, store_timeout_s=0.05)
    await outbox.done(await outbox.take(1000))
    return broker, outbox


def event_of(realm: RealmId, one: Item) -> HookEvent:
    return HookEvent(realm, "channel.message", item_key(one, "", AT), AT, one.channel)


async def publish(outbox: ItemOutbox, realm: RealmId, items: Sequence[Item], *wanted: bool) -> list[PublishResult]:
    """Publish items with their events, or with those that are wanted, until both are stored."""
    is_wanted = wanted or [True] * len(items)
    events = [event_of(realm, one) if wants else None for one, wants in zip(items, is_wanted, strict=True)]
    results, unput = await outbox.publish(realm, items, events, retention=KEEP)
    try:
        await outbox.put(unput)
    except Unavailable:  # in memory, that nobody stores them is waited for in vain
        assert isinstance(outbox, MemoryEventOutbox)
    return results


async def waiting_in(outbox: ItemOutbox) -> list[HookEvent]:
    return [entry.event for entry in await outbox.take(1000)]


async def test_the_event_of_an_item_knows_its_position(world: World):
    _, outbox = await open_outbox(world)
    items = [item("a"), item("b", id="1"), item("c")]

    results = await publish(outbox, world.realm, items)

    positions = [str(result.position) for result in results]
    found = await waiting_in(outbox)
    assert [event.item for event in found] == items
    assert [event.position for event in found] == positions
    assert [event.key for event in found] == [f"item:hello:{position}" for position in positions]
    assert [(event.realm, event.kind, event.at, event.channel) for event in found] == [
        (world.realm, "channel.message", AT, "hello")
    ] * 3


async def test_only_wanted_items_have_events_and_all_are_kept_and_sent(world: World):
    broker, outbox = await open_outbox(world)
    broker.attach(listener := RecordingListener())
    since = await broker.subscribe(world.realm, HELLO)

    await publish(outbox, world.realm, [item("a"), item("b"), item("c")], False, True, False)

    assert [event.item for event in await waiting_in(outbox)] == [item("b")]
    await listener.wait_for(3)
    assert listener.texts(world.realm) == ["a", "b", "c"]
    assert texts(await broker.read_since(world.realm, HELLO, since, limit=10)) == ["a", "b", "c"]


async def test_events_of_several_channels_know_the_positions_of_theirs(world: World):
    _, outbox = await open_outbox(world)
    items = [item(n, f"room {n % 60}") for n in range(130)]  # of more channels than one script takes

    results = await publish(outbox, world.realm, items)

    found = {(event.item and event.item.json_object): event.position for event in await waiting_in(outbox)}
    assert found == {one.json_object: str(result.position) for one, result in zip(items, results, strict=True)}


async def test_so_do_those_of_one_item_to_each_channel_whether_or_not_that_is_new(world: World):
    _, outbox = await open_outbox(world)
    first = [item(n, f"room {n}") for n in range(0, 120, 2)]
    second = [item(1000 + n, f"room {n}", id=str(n)) for n in range(120)]
    is_wanted = [n % 3 > 0 for n in range(120)]

    before = await publish(outbox, world.realm, first)
    results = await publish(outbox, world.realm, second, *is_wanted)

    found = {(event.item and event.item.json_object): event.position for event in await waiting_in(outbox)}
    told = [*zip(first, before, strict=True), *zip(second, results, strict=True)]
    wanted = [True] * len(first) + is_wanted
    assert found == {
        one.json_object: str(result.position) for (one, result), wants in zip(told, wanted, strict=True) if wants
    }
    assert [result.position and result.position.offset for result in results] == [2, 1] * 60


async def test_an_item_that_is_published_again_has_the_same_event(world: World):
    broker, outbox = await open_outbox(world)
    one = item("a", id="1")
    await broker.publish(world.realm, [one], retention=KEEP)  # whoever did this could not store the event

    [again] = await publish(outbox, world.realm, [one])
    [once_more] = await publish(outbox, world.realm, [one])

    assert (again.outcome, once_more.outcome) == (Outcome.DUPLICATE, Outcome.DUPLICATE)
    assert {event.key for event in await waiting_in(outbox)} == {f"item:hello:{again.position}"}


async def test_an_item_that_waits_for_its_predecessor_has_one_event_from_the_start(world: World):
    _, outbox = await open_outbox(world)
    late = item("c", id="3", prev_id="2")
    await publish(outbox, world.realm, [item("a", id="1")], False)

    results = await publish(outbox, world.realm, [late])
    results += await publish(outbox, world.realm, [late])
    [waited, *_] = await waiting_in(outbox)
    await publish(outbox, world.realm, [item("b", id="2")], False)
    results += await publish(outbox, world.realm, [late])

    assert [result.outcome for result in results] == [Outcome.WAITING, Outcome.DUPLICATE, Outcome.DUPLICATE]
    assert waited.position == ""
    assert Counter(event.key for event in await waiting_in(outbox)) == {item_key(late, "", AT): 3}


async def test_a_waiting_item_without_an_id_keeps_the_key_that_its_event_was_made_with(world: World):
    _, outbox = await open_outbox(world)
    await publish(outbox, world.realm, [item("a", id="1")], False)

    await publish(outbox, world.realm, [item("c", prev_id="2")])
    await publish(outbox, world.realm, [item("d", prev_id="3")])

    first, second = await waiting_in(outbox)
    assert first.key != second.key
    assert [first, second] == await waiting_in(outbox)


async def test_events_that_were_put_by_themselves_wait_among_those_of_items(world: World):
    _, outbox = await open_outbox(world)
    await publish(outbox, world.realm, [item("a")])
    opened = HookEvent(world.realm, "connection.opened", "c1", AT)
    try:
        await outbox.put([opened])
    except Unavailable:
        assert isinstance(outbox, MemoryEventOutbox)

    kinds = [event.kind for event in await waiting_in(outbox)]
    assert kinds == ["channel.message", "connection.opened"]
    await outbox.done(await outbox.take(10))
    assert (await outbox.look()).waiting == 0


async def test_where_one_write_holds_both_a_full_outbox_keeps_the_items_out_too(redis_url: str, valkey_url: str):
    for url in (redis_url, valkey_url):
        await _fill_outbox(url)


async def _fill_outbox(url: str) -> None:
    clock = SteppedClock()
    broker = RedisBroker(url, clock)
    await broker.start()
    try:
        outbox = RedisEventOutbox(broker, clock, max_per_realm=3, max_events=4)
        await outbox.done(await outbox.take(1000))
        realm, other = RealmId("f0f0f0f0"), RealmId("0f0f0f0f")
        begin, _ = await broker.positions([(realm, HELLO), (other, HELLO)])
        await publish(outbox, realm, [item("a"), item("b")])

        with pytest.raises(LimitReached, match="webhook_backlog"):
            await publish(outbox, realm, [item("c"), item("d")])
        with pytest.raises(LimitReached):
            outbox.check_room(realm)
        with pytest.raises(LimitReached, match="4 events"):
            await publish(outbox, other, [item("e"), item("f"), item("g")])
        await publish(outbox, realm, [item("h"), item("i")], True, False)

        assert texts(await broker.read_since(realm, HELLO, begin, limit=10)) == ["a", "b", "h", "i"]
        assert [event.item for event in await waiting_in(outbox)] == [item("a"), item("b"), item("h")]
        await outbox.done(await outbox.take(10))
        await broker.forget_realm(realm)
    finally:
        await broker.close()


@pytest.mark.parametrize("has_events", [False, True])
async def test_a_publish_is_one_command_to_redis_with_and_without_webhooks(redis_url: str, *, has_events: bool):
    broker = RedisBroker(redis_url, SystemClock())
    await broker.start()
    try:
        outbox = make_event_outbox(broker, SystemClock())
        await publish(outbox, RealmId("c0c0c0c0"), [item(0)], has_events)
        before = await _evaluations(broker)

        for number in range(20):
            await publish(outbox, RealmId("c0c0c0c0"), [item(number), item(-number)], has_events, has_events)

        assert await _evaluations(broker) - before == 20
    finally:
        await outbox.done(await outbox.take(1000))
        await broker.close()


async def _evaluations(broker: RedisBroker) -> int:
    """Return how many commands of clients Redis carried out that change anything: all are scripts."""
    lines = (await broker.connection_for("").call("INFO", "commandstats")).decode().splitlines()
    calls = {
        line.partition(":")[0]: int(line.partition("calls=")[2].partition(",")[0]) for line in lines if "=" in line
    }
    return calls.get("cmdstat_evalsha", 0) + calls.get("cmdstat_eval", 0)


async def test_an_item_and_its_event_are_announced_once_when_none_waited(world: World):
    broker, outbox = await open_outbox(world)
    heard: list[bytes] = []
    has_all = asyncio.Event()

    def hear(news: bytes) -> None:
        heard.append(news)
        if news == b"end":
            has_all.set()

    unlisten = broker.listen("webhooks", hear)
    await broker.announce("webhooks", b"begin")
    await publish(outbox, world.realm, [item("a"), item("b")])
    await publish(outbox, world.realm, [item("c")])
    await broker.announce("webhooks", b"end")
    await asyncio.wait_for(has_all.wait(), 10)
    unlisten()

    assert heard == [b"begin", b"events", b"end"]
