"""The feed of what the server saw: nothing unwatched, never another realm's, bounded, and alive without the broker."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fanoutcloud.broker import activity
from fanoutcloud.broker.activity import WATCH_TTL_S, ActivityFeed
from fanoutcloud.broker.activity_sampling import MAX_EVENTS_PER_S
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.core.activity import Delivered
from fanoutcloud.core.activity_filter import ActivityFilter
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import RealmId
from tests.fakes.clock import SteppedClock

ALICES = RealmId("0a1b2c3d")
CHARLIES = RealmId("ffffffff")
PATIENCE_S = 10.0

Event = dict[str, Any]


class AnnouncingBroker(MemoryBroker):
    """Remembers the announcements; can be down."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.announced: list[tuple[str, bytes]] = []
        self.is_down = False

    async def announce(self, topic: str, payload: bytes) -> None:
        if self.is_down:
            raise Unavailable("the broker does not answer")
        self.announced.append((topic, payload))
        await super().announce(topic, payload)

    def topics(self, prefix: str) -> list[str]:
        return [topic for topic, _ in self.announced if topic.startswith(prefix)]


class Watcher:
    """Keeps what a watcher is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def __call__(self, line: bytes) -> None:
        self.events.append(json.loads(line))
        self._changed.set()

    def channels(self) -> list[str]:
        return [event["channel"] for event in self.events if event["kind"] == "delivered"]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class FeedWorld:
    """One process's feed that is running, and one of another process behind the same broker."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.broker = AnnouncingBroker(self.clock)
        self.feed = ActivityFeed(self.broker, self.clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FeedWorld"]:
        run = asyncio.create_task(self.feed.run())
        try:
            yield self
        finally:
            assert not run.done(), run
            run.cancel()
            await asyncio.wait([run])

    def record(self, channel: str, realm: RealmId = ALICES, feed: ActivityFeed | None = None) -> None:
        event = Delivered(at=self.clock.now(), channel=channel, position="k3v9q1zt:5", subscribers=1, by_transport={})
        (feed or self.feed).record(realm, event)


@pytest.fixture(autouse=True)
def _without_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "FLUSH_INTERVAL_S", 0)


@pytest.fixture
async def world() -> AsyncIterator[FeedWorld]:
    async with FeedWorld().running() as world:
        yield world


async def test_nothing_is_sent_of_a_realm_that_nobody_watches(world: FeedWorld) -> None:
    watcher = Watcher()
    world.record("unseen")
    assert not world.feed.is_watched(ALICES)

    async with world.feed.watch(CHARLIES, watcher):
        world.record("unseen")
        world.record("seen", CHARLIES)
        await watcher.wait_until(lambda: watcher.channels() == ["seen"])

    assert world.broker.topics(f"activity:{ALICES}") == []


async def test_a_watcher_gets_the_events_of_its_realm_in_order(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        for number in range(30):
            world.record(str(number))
        await watcher.wait_until(lambda: len(watcher.events) == 30)

    assert watcher.channels() == [str(number) for number in range(30)]
    assert watcher.events[0] == {
        "kind": "delivered",
        "at": world.clock.now(),
        "channel": "0",
        "position": "k3v9q1zt:5",
        "subscribers": 1,
        "by_transport": {},
    }


async def test_events_made_together_leave_together(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        for number in range(10):
            world.record(str(number))
        await watcher.wait_until(lambda: len(watcher.events) == 10)

    assert len(world.broker.topics("activity:")) == 1


async def test_a_watcher_never_sees_another_realm(world: FeedWorld) -> None:
    alice, charlie = Watcher(), Watcher()
    async with world.feed.watch(ALICES, alice), world.feed.watch(CHARLIES, charlie):
        world.record("alices")
        world.record("charlies", CHARLIES)
        await alice.wait_until(lambda: bool(alice.events))
        await charlie.wait_until(lambda: bool(charlie.events))

    assert (alice.channels(), charlie.channels()) == (["alices"], ["charlies"])


async def test_two_watchers_of_a_realm_see_the_same(world: FeedWorld) -> None:
    one, other = Watcher(), Watcher()
    async with world.feed.watch(ALICES, one), world.feed.watch(ALICES, other):
        world.record("both")
        await one.wait_until(lambda: bool(one.events))
        await other.wait_until(lambda: bool(other.events))

    assert one.events == other.events


async def test_a_watcher_that_has_left_hears_nothing(world: FeedWorld) -> None:
    gone, present = Watcher(), Watcher()
    async with world.feed.watch(ALICES, present):
        async with world.feed.watch(ALICES, gone):
            pass
        world.record("late")
        await present.wait_until(lambda: bool(present.events))

    assert gone.events == []


async def test_beginning_to_watch_asks_every_process_for_what_is_there(world: FeedWorld) -> None:
    asked: list[tuple[str, RealmId]] = []
    other = ActivityFeed(world.broker, world.clock)
    world.feed.on_watch(lambda realm: asked.append(("ours", realm)))
    other.on_watch(lambda realm: asked.append(("the other", realm)))

    async with world.feed.watch(ALICES, Watcher()):
        assert other.is_watched(ALICES)

    assert asked == [("ours", ALICES), ("the other", ALICES)]


async def test_what_a_hook_records_is_sent_to_the_new_watcher(world: FeedWorld) -> None:
    watcher = Watcher()
    world.feed.on_watch(lambda realm: world.record("there already", realm))

    async with world.feed.watch(ALICES, watcher):
        await watcher.wait_until(lambda: bool(watcher.events))

    assert watcher.channels() == ["there already"]


async def test_events_of_another_process_reach_the_watcher(world: FeedWorld) -> None:
    watcher = Watcher()
    other = ActivityFeed(world.broker, world.clock)
    running = asyncio.create_task(other.run())
    async with world.feed.watch(ALICES, watcher):
        world.record("elsewhere", feed=other)
        await watcher.wait_until(lambda: bool(watcher.events))
    running.cancel()
    await asyncio.wait([running])

    assert watcher.channels() == ["elsewhere"]


async def test_more_events_than_are_shown_are_counted(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        for number in range(MAX_EVENTS_PER_S + 70):
            world.record(str(number))
        await watcher.wait_until(lambda: len(watcher.events) == MAX_EVENTS_PER_S)

        world.clock.pass_time(1.0)
        await watcher.wait_until(lambda: watcher.events[-1]["kind"] == "sampled")
        world.record("the next second")
        await watcher.wait_until(lambda: watcher.channels()[-1] == "the next second")

    assert watcher.events[MAX_EVENTS_PER_S]["dropped"] == 70
    assert len(watcher.events) == MAX_EVENTS_PER_S + 2


async def test_what_is_left_out_is_told_also_while_it_goes_on(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        for _ in range(3):
            for number in range(MAX_EVENTS_PER_S + 10):
                world.record(str(number))
            world.clock.pass_time(1.0)
        world.record("end")
        await watcher.wait_until(lambda: bool(watcher.events) and watcher.channels()[-1] == "end")

    assert [event["dropped"] for event in watcher.events if event["kind"] == "sampled"] == [10, 10, 10]


async def test_one_realms_noise_is_not_another_realms_limit(world: FeedWorld) -> None:
    alice, charlie = Watcher(), Watcher()
    async with world.feed.watch(ALICES, alice), world.feed.watch(CHARLIES, charlie):
        for number in range(MAX_EVENTS_PER_S * 2):
            world.record(str(number))
        world.record("quiet", CHARLIES)
        await charlie.wait_until(lambda: bool(charlie.events))

    assert charlie.channels() == ["quiet"]


async def test_a_realm_is_watched_for_a_while_after_the_last_renewal(world: FeedWorld) -> None:
    async with world.feed.watch(ALICES, Watcher()):
        pass

    world.clock.pass_time(WATCH_TTL_S - 0.1)
    assert world.feed.is_watched(ALICES)
    world.clock.pass_time(0.1)
    assert not world.feed.is_watched(ALICES)


async def test_a_watcher_renews_for_as_long_as_it_watches(world: FeedWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "WATCH_RENEWAL_S", 0)
    asked: list[RealmId] = []
    world.feed.on_watch(asked.append)
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        for _ in range(3):
            world.clock.pass_time(WATCH_TTL_S + 1)
            renewals = len(world.broker.topics("watch"))
            async with asyncio.timeout(PATIENCE_S):
                while len(world.broker.topics("watch")) < renewals + 2:  # noqa: ASYNC110 - the next turns of the loop
                    await asyncio.sleep(0)
            world.record("still seen")
        await watcher.wait_until(lambda: len(watcher.events) == 3)

    assert asked == [ALICES]  # renewals do not ask again who is there


async def test_watching_without_the_broker_is_refused(world: FeedWorld) -> None:
    world.broker.is_down = True

    with pytest.raises(Unavailable):
        async with world.feed.watch(ALICES, Watcher()):
            pass


async def test_events_that_can_not_be_sent_are_counted_and_the_feed_goes_on(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher):
        world.broker.is_down = True
        for number in range(5):
            world.record(str(number))
        async with asyncio.timeout(PATIENCE_S):
            while world.feed._watched[ALICES].sampler.dropped < 5:  # noqa: ASYNC110 - the next turns of the loop
                await asyncio.sleep(0)

        world.broker.is_down = False
        world.clock.pass_time(1.0)
        world.record("again")
        await watcher.wait_until(lambda: len(watcher.events) == 2)

    assert watcher.channels() == ["again"]
    assert [event["dropped"] for event in watcher.events if event["kind"] == "sampled"] == [5]


async def test_a_realm_that_is_no_longer_watched_takes_no_memory(world: FeedWorld) -> None:
    async with world.feed.watch(ALICES, Watcher()):
        world.record("seen")
    world.clock.pass_time(WATCH_TTL_S + 1)
    watcher = Watcher()

    async with world.feed.watch(CHARLIES, watcher):
        world.record("anything", CHARLIES)
        await watcher.wait_until(lambda: bool(watcher.events))

    assert ALICES not in world.feed._watched


async def test_words_that_are_no_watch_change_nothing(world: FeedWorld) -> None:
    await world.broker.announce("watch", b"{not JSON")

    async with world.feed.watch(ALICES, Watcher()):
        assert world.feed.is_watched(ALICES)


async def test_what_no_watcher_wants_is_not_sent_and_takes_no_room(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher, ActivityFilter(channel="rare")):
        for _ in range(3 * MAX_EVENTS_PER_S):
            world.record("noise")
        world.record("rare")
        await watcher.wait_until(lambda: bool(watcher.events))

    assert watcher.channels() == ["rare"]


async def test_a_watcher_that_changes_its_mind_gets_the_rest(world: FeedWorld) -> None:
    watcher = Watcher()
    async with world.feed.watch(ALICES, watcher, ActivityFilter(channel="rare")) as watching:
        world.record("missed")
        watching.wants = ActivityFilter()
        await watching.announce()
        world.record("seen")
        await watcher.wait_until(lambda: bool(watcher.events))

    assert watcher.channels() == ["seen"]


async def test_one_watchers_filter_takes_nothing_from_another(world: FeedWorld) -> None:
    narrow, wide = Watcher(), Watcher()
    async with world.feed.watch(ALICES, narrow, ActivityFilter(channel="rare")), world.feed.watch(ALICES, wide):
        world.record("noise")
        await wide.wait_until(lambda: bool(wide.events))

    assert wide.channels() == ["noise"]
