"""What happens beside items, as webhooks hear of it."""

import asyncio
import json
from typing import Any

import pytest

from fanoutcloud.core.activity import Connected, Disconnected, OriginFailure, Refused
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.errors import Unavailable
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.presence import KeptEvent, PresenceEvent
from fanoutcloud.core.webhooks import HookEvent, WebhookInterest, backlog_reached
from fanoutcloud.edge.reporting.happenings import Happenings
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

REALM, QUIET = RealmId("4f7f6f9f"), RealmId("00000000")
ALL = (parse_pattern("*"),)
CONNECTED = Connected(1.0, "c1", "websocket", ["door"], "192.0.2.1")
DISCONNECTED = Disconnected(2.0, "c1", "websocket", ["door"], "client")


class Outbox:
    """Takes events, or fails as told."""

    def __init__(self) -> None:
        self.events: list[HookEvent] = []
        self.fails: list[Exception] = []
        self.was_asked = asyncio.Event()

    def check_room(self, realm: RealmId) -> None: ...

    async def put(self, events: Any) -> None:
        self.was_asked.set()
        if self.fails:
            raise self.fails.pop(0)
        self.events += events

    async def take(self, limit: int) -> list[Any]:
        return []

    async def done(self, entries: Any) -> None: ...


def make(*kinds: str) -> tuple[Happenings, Outbox]:
    wants = WebhookInterest(tuple((kind, ALL) for kind in kinds))
    snapshots = [
        RealmSnapshot(REALM, (), Retention(items=1, age_s=1), webhooks=wants),
        RealmSnapshot(QUIET, (), Retention(items=1, age_s=1)),
    ]
    outbox = Outbox()
    return Happenings(RecordingActivity(QUIET), outbox, FakeDirectory(*snapshots), SteppedClock()), outbox


async def settle(happenings: Happenings, outbox: Outbox, count: int) -> None:
    task = asyncio.create_task(happenings.run())
    async with asyncio.timeout(5):
        await outbox.was_asked.wait()
    task.cancel()
    assert len(outbox.events) == count


async def test_connections_are_told_once_each():
    happenings, outbox = make("connection.opened", "connection.closed")

    for event in (CONNECTED, CONNECTED, DISCONNECTED):
        happenings.record(REALM, event)
        happenings.record(QUIET, event)
    await settle(happenings, outbox, 2)

    assert [(event.realm, event.kind) for event in outbox.events] == [
        (REALM, "connection.opened"),
        (REALM, "connection.closed"),
    ]
    assert json.loads(outbox.events[1].data)["reason"] == "client"


async def test_only_what_is_wanted_is_told_and_a_fault_once_in_a_while():
    happenings, outbox = make("origin.error", "limit.reached")
    fault = OriginFailure(5.0, "app", "GET", "/", "dns", "no such name", "check it", None, 502, "192.0.2.1")
    limit = Refused(5.0, 429, "rate_limited", "too fast", "wait", None, "192.0.2.1")
    wrong = Refused(5.0, 401, "no_token", "no token", "send one", None, "192.0.2.1")

    for event in (CONNECTED, wrong, fault, fault, limit, limit):
        happenings.record(REALM, event)
    await settle(happenings, outbox, 2)

    assert [event.kind for event in outbox.events] == ["origin.error", "limit.reached"]


def test_realms_whose_webhooks_want_items_alone_are_not_watched():
    happenings, _ = make("channel.message")

    assert not happenings.is_watched(REALM)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("joined", "presence.join"), ("left", "presence.leave"), ("occupied", "channel.occupied")],
)
async def test_presence_is_told_under_an_id_of_its_own(kind: Any, expected: str):
    happenings, outbox = make(expected)
    kept = KeptEvent("", "door-1-2-0", ChannelName("door"), 7.0, PresenceEvent(kind, "ann", b'{"a":1}'))

    await happenings.keep(REALM, kept)
    await happenings.keep(QUIET, kept)

    [event] = outbox.events
    assert (event.kind, event.key, event.channel, event.at) == (expected, "presence:door-1-2-0", "door", 7.0)
    assert json.loads(event.data) == {"user": "ann", "info": {"a": 1}}


async def test_presence_that_finds_no_room_is_to_be_told_again():
    happenings, outbox = make("channel.occupied")
    outbox.fails.append(backlog_reached(5))

    with pytest.raises(Unavailable):
        await happenings.keep(REALM, KeptEvent("", "1", ChannelName("door"), 7.0, PresenceEvent("occupied")))


async def test_what_finds_no_room_is_dropped_and_counted_and_what_meets_an_outage_is_not():
    happenings, outbox = make("connection.opened", "connection.closed")
    outbox.fails += [backlog_reached(5)]
    happenings.record(REALM, CONNECTED)
    happenings.record(REALM, DISCONNECTED)
    task = asyncio.create_task(happenings.run())
    async with asyncio.timeout(5):
        await outbox.was_asked.wait()
        await asyncio.sleep(0)
    task.cancel()

    assert (happenings.dropped, outbox.events) == (2, [])
