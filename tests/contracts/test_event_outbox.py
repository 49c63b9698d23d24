"""Where events wait for webhooks: one suite for both outboxes."""

import asyncio
import secrets

import pytest

from fanoutcloud.broker.base import Broker
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.memory_event_outbox import MemoryEventOutbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_event_outbox import RedisEventOutbox
from fanoutcloud.core.errors import LimitReached, Unavailable
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.webhooks import NEWS_OF_EVENTS, NEWS_TOPIC, EventOutbox, HookEvent
from tests.contracts.brokers import PATIENCE_S, World
from tests.fakes.clock import SteppedClock

REALM, OTHER = RealmId(secrets.token_hex(4)), RealmId(secrets.token_hex(4))
LIMIT = 5


async def open_outbox(world: World, clock: SteppedClock) -> EventOutbox:
    broker, _ = await world.open()
    return await outbox_of(broker, clock)


async def outbox_of(broker: Broker, clock: SteppedClock) -> EventOutbox:
    if isinstance(broker, RedisBroker):
        outbox = RedisEventOutbox(broker, clock, max_per_realm=LIMIT, max_events=LIMIT + 3)
        await outbox.done(await outbox.take(1000))  # of tests before
        return outbox
    return MemoryEventOutbox(broker, max_per_realm=LIMIT, store_timeout_s=0.5)


def events(realm: RealmId, *keys: str) -> list[HookEvent]:
    return [HookEvent(realm, "channel.message", key, 1.0, "door") for key in keys]


async def put(outbox: EventOutbox, some: list[HookEvent]) -> None:
    """Put events where nobody stores them: in memory, that is waited for in vain."""
    try:
        await outbox.put(some)
    except Unavailable:
        assert isinstance(outbox, MemoryEventOutbox)


async def keys_in(outbox: EventOutbox, limit: int = 100) -> list[str]:
    return [entry.event.key for entry in await outbox.take(limit)]


async def test_what_was_put_waits_in_order_until_it_is_done(world: World):
    outbox = await open_outbox(world, SteppedClock())
    await put(outbox, events(REALM, "a", "b"))
    await put(outbox, events(OTHER, "c"))

    first = await outbox.take(2)
    again = await keys_in(outbox)
    await outbox.done(first)
    await outbox.done(first)

    assert [entry.event for entry in first] == events(REALM, "a", "b")
    assert again == ["a", "b", "c"]
    assert await keys_in(outbox) == ["c"]


async def test_a_realm_that_is_full_is_told_so_and_keeps_nobody_else_out(world: World):
    clock = SteppedClock()
    outbox = await open_outbox(world, clock)
    await put(outbox, events(REALM, *"abcd"))

    with pytest.raises(LimitReached, match="webhook_backlog") as full:
        await outbox.put(events(REALM, "e", "f"))
    await put(outbox, events(OTHER, "g"))

    assert await keys_in(outbox) == [*"abcd", "g"]
    assert full.value.http_status == 429
    await outbox.done(await outbox.take(100))
    clock.pass_time(2)
    outbox.check_room(REALM)
    await put(outbox, events(REALM, *"hijkl"))
    assert await keys_in(outbox) == [*"hijkl"]


async def test_what_comes_into_an_empty_outbox_is_announced_and_nothing_else(world: World):
    broker, _ = await world.open()
    outbox = await outbox_of(broker, SteppedClock())
    heard: list[bytes] = []
    listens, has_both = asyncio.Event(), asyncio.Event()

    def hear(news: bytes) -> None:
        heard.append(news)
        listens.set()
        if heard.count(NEWS_OF_EVENTS) == 2:
            has_both.set()

    unlisten = broker.listen(NEWS_TOPIC, hear)
    await broker.announce(NEWS_TOPIC, b"we listen")
    await asyncio.wait_for(listens.wait(), PATIENCE_S)
    await put(outbox, events(REALM, "a"))
    await put(outbox, events(REALM, "b"))
    await outbox.done(await outbox.take(10))
    await put(outbox, events(REALM, "c"))
    await asyncio.wait_for(has_both.wait(), PATIENCE_S)
    unlisten()

    assert heard == [b"we listen", NEWS_OF_EVENTS, NEWS_OF_EVENTS]


async def test_it_tells_what_waits_and_what_came_of_calls(world: World):
    outbox = await open_outbox(world, SteppedClock())
    before = await outbox.look()

    await put(outbox, events(REALM, "a", "b"))
    await outbox.count({"delivered": 2, "timeout": 1})
    await outbox.count({"delivered": 3})
    after = await outbox.look()

    assert (before.waiting, before.oldest_at) == (0, None)
    assert (after.waiting, after.oldest_at) == (2, 1.0)
    assert after.calls["delivered"] - before.calls.get("delivered", 0) == 5


async def test_putting_nothing_changes_nothing(world: World):
    outbox = await open_outbox(world, SteppedClock())

    await outbox.put([])

    assert await outbox.take(10) == []


async def test_in_memory_putting_ends_when_the_event_is_stored():
    outbox = MemoryEventOutbox(MemoryBroker(SteppedClock()), store_timeout_s=10)

    putting = asyncio.create_task(outbox.put(events(REALM, "a")))
    await asyncio.sleep(0)
    await outbox.done(await outbox.take(10))
    await putting

    assert await outbox.take(10) == []
