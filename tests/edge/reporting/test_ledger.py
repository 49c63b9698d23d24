"""What a hub does is counted, and charged to the realm that it is done for."""

from collections import Counter

import pytest

from fanoutcloud.broker.egress import EgressMeter
from fanoutcloud.broker.memory_limit_store import MemoryLimitStore
from fanoutcloud.core.activity import Refused
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import Rate, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.errors import LimitReached
from fanoutcloud.core.statistics import LimitStatistics
from fanoutcloud.core.usage import Usage, UsageMeter
from fanoutcloud.edge.access.admission import Admission
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, PLAIN_SSE
from fanoutcloud.edge.reporting.ledger import Ledger
from tests.edge.worlds import HELLO, REALM, EdgeWorld, IndividualSubscriber, RecordingSubscriber
from tests.fakes.directory import FakeDirectory

LIMITS = RealmLimits(connections=2, channels=2, egress_bytes=Rate(per_s=100, burst=1000))


class LimitedWorld(EdgeWorld):
    """A hub whose realm has limits."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = RealmSnapshot(REALM, (), Retention(), LIMITS)
        store, statistics = MemoryLimitStore(self.clock), LimitStatistics()
        self.egress = EgressMeter(store, self.broker, self.clock, statistics, find_limits=lambda _: LIMITS)
        admission = Admission(
            store=store,
            directory=FakeDirectory(self.snapshot),
            egress=self.egress,
            clock=self.clock,
            statistics=statistics,
        )
        self.hub.ledger = Ledger(limits=statistics, admission=admission, egress=self.egress)


async def test_a_broadcast_counts_its_recipients_by_transport_and_its_bytes():
    async with EdgeWorld().running() as world:
        lines = [await world.joined() for _ in range(3)]
        await world.joined(PLAIN_SSE)
        await world.join(IndividualSubscriber())
        before = sum(len(frame) for frame in lines[0].sink.frames)

        await world.publish(1, 2)

        edge = world.hub.ledger.edge
        item_bytes = sum(len(frame) for frame in lines[0].sink.frames) - before
        assert edge.items_in == 2
        assert edge.items_out == {"http-stream": 8, "sse": 2}
        assert edge.fan_outs.count == 2
        assert edge.bytes_out > 3 * item_bytes


async def test_subscribers_are_counted_as_they_come_and_go():
    async with EdgeWorld().running() as world:
        first, second = await world.joined(), await world.joined(PLAIN_SSE)
        second.close(CloseReason.SLOW)
        world.hub.unregister(first)
        world.hub.unregister(first)

        edge = world.hub.ledger.edge
        assert edge.connects == {"http-stream": 1, "sse": 1}
        assert +edge.open_now == Counter()
        assert edge.closes == {("sse", "slow"): 1, ("http-stream", "client_left"): 1}


async def test_catching_up_and_resets_are_counted():
    async with EdgeWorld().running() as world:
        begin = await world.top()
        await world.publish(1, 2, 3)
        subscriber = RecordingSubscriber(PLAIN_JSON_LINES)
        await world.join(subscriber, since=begin)
        world.hub.restart(world.hub.channels[REALM, HELLO], await world.top(), "epoch_changed")

        edge = world.hub.ledger.edge
        assert subscriber.numbers == [1, 2, 3]
        assert (edge.catch_ups, edge.items_out["http-stream"], edge.resets) == (1, 3, {"epoch_changed": 1})


async def test_what_is_written_is_charged_to_the_realm():
    async with LimitedWorld().running() as world:
        assert isinstance(world, LimitedWorld)
        await world.joined()
        while world.hub.ledger.edge.bytes_out < 1200:
            await world.publish(7)
        await world.egress.report()

        with pytest.raises(LimitReached) as refused:
            await world.hub.ledger.admit(world.snapshot, [HELLO], world.hub.channels)
        assert refused.value.limit == "egress_bytes"


async def test_who_has_come_is_counted_against_the_next():
    async with LimitedWorld().running() as world:
        assert isinstance(world, LimitedWorld)
        for _ in range(2):
            await world.hub.ledger.admit(world.snapshot, [HELLO], world.hub.channels)
            last = await world.joined()

        with pytest.raises(LimitReached, match="2 connections"):
            await world.hub.ledger.admit(world.snapshot, [HELLO], world.hub.channels)
        world.hub.unregister(last)
        await world.hub.ledger.admit(world.snapshot, [HELLO], world.hub.channels)


async def test_a_refusal_is_counted_and_shown_to_who_watches():
    world = EdgeWorld()
    error = LimitReached("channels", "2 channels", retry_after_s=30)

    world.hub.tell_refused(REALM, error, "192.0.2.1")

    [shown] = world.events(Refused)
    assert (shown.status, shown.code, shown.cure) == (429, "too_many_channels", "try again in 30 s")
    assert world.hub.ledger.edge.refusals == {"too_many_channels": 1}


async def test_what_a_realm_uses_is_metered_beside_the_metrics():
    async with EdgeWorld().running() as world:
        meter = UsageMeter(world.clock)
        world.hub.ledger = Ledger(usage=meter)
        begin = await world.top()
        first = await world.joined()
        await world.join(IndividualSubscriber())
        await world.publish(1, 2)
        await world.join(RecordingSubscriber(PLAIN_SSE), since=begin)
        world.hub.detach(first)
        world.hub.register(first)

        assert world.hub.ledger.edge.items_out == {"http-stream": 4, "sse": 2}
        assert meter.take().used[REALM] == Usage(max_connected=3, client_activity=3, client_minutes=3, delivered=6)
