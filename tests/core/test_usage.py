"""Figures of use: the definitions, and that nothing is counted twice or lost."""

from datetime import date

import pytest

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage, UsageBacklog, UsageMeter
from tests.fakes.clock import SteppedClock

REALM, OTHER = RealmId("0a1b2c3d"), RealmId("ffff0000")
MIDNIGHT = 1_750_032_000.0  # 2025-06-16


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(MIDNIGHT + 100.0)


@pytest.fixture
def meter(clock: SteppedClock) -> UsageMeter:
    return UsageMeter(clock)


def deliver(meter: UsageMeter, sent: dict[str, int]) -> None:
    for transport, number in sent.items():
        meter.sent_to(REALM)[transport] += number


def used(meter: UsageMeter) -> Usage:
    return meter.take().used.get(REALM, Usage())


def test_a_set_of_figures_is_consistent(meter: UsageMeter, clock: SteppedClock):
    begun = clock.now()
    for _ in range(2):
        meter.opened(REALM, "http-stream", begun, is_new=True)
    meter.received(REALM, 1)
    deliver(meter, {"http-stream": 2})
    clock.pass_time(30)
    meter.closed(REALM, begun)
    clock.pass_time(31)  # the other one lasts for more than a minute
    meter.closed(REALM, begun)
    meter.requested(REALM, 0.01)

    figures = used(meter)

    assert figures == Usage(max_connected=2, client_activity=3, client_minutes=4, received=1, delivered=2)
    assert figures.total_ops == 4 + 1 + 2


def test_answers_to_long_polls_are_delivered_and_no_ops(meter: UsageMeter, clock: SteppedClock):
    for _ in range(3):
        meter.opened(REALM, "long-poll", clock.now(), is_new=True)
        clock.pass_time(55)
        meter.closed(REALM, clock.now() - 55)
    deliver(meter, {"long-poll": 3, "fpp": 1, "hold-response": 1, "sse": 1})

    figures = used(meter)

    assert (figures.client_activity, figures.client_minutes, figures.delivered) == (3, 3, 6)
    assert figures.total_ops == 3 + 1


@pytest.mark.parametrize(
    ("lasted_s", "minutes"), [(0, 1), (1, 1), (59, 1), (61, 2), (119, 2), (3601, 61), (90_001, 1501)]
)
@pytest.mark.parametrize("begins_at", [0.0, 0.9, 17.2, 59.5])
def test_minutes_are_rounded_up(lasted_s: int, minutes: int, begins_at: float):
    clock = SteppedClock(MIDNIGHT + begins_at)
    meter = UsageMeter(clock)
    total = Usage()

    meter.opened(REALM, "websocket", clock.now(), is_new=True)
    for step in [7] * (lasted_s // 7) + [lasted_s % 7]:
        clock.pass_time(step)
        total.add(used(meter))
    meter.closed(REALM, MIDNIGHT + begins_at)
    total.add(used(meter))

    assert total.client_minutes == minutes


def test_who_came_from_another_process_is_counted_on_and_not_again(meter: UsageMeter, clock: SteppedClock):
    meter.opened(REALM, "sse", clock.now() - 90, is_new=False)
    clock.pass_time(31)

    assert used(meter) == Usage(max_connected=1, client_minutes=1)


def test_a_websocket_is_active_once_in_a_minute_with_messages(meter: UsageMeter, clock: SteppedClock):
    meter.opened(REALM, "websocket", clock.now(), is_new=True)
    meter.heard(REALM, 1)
    meter.heard(REALM, 1)
    meter.heard(REALM, 2)
    assert used(meter).client_activity == 2

    clock.pass_time(60)
    meter.heard(REALM, 1)
    deliver(meter, {"websocket": 1})  # published ones aside
    clock.pass_time(60)
    assert used(meter).client_activity == 1


def test_sessions_have_minutes_and_their_requests_activity(meter: UsageMeter, clock: SteppedClock):
    meter.opened(REALM, "bayeux", clock.now(), is_new=True)
    for _ in range(3):
        meter.requested(REALM, 0, has_minutes=False)

    assert used(meter) == Usage(max_connected=1, client_activity=3, client_minutes=1)


def test_a_batch_belongs_to_the_day_in_which_it_began(meter: UsageMeter, clock: SteppedClock):
    clock.time_s = MIDNIGHT + 86_395
    meter.take()
    meter.opened(REALM, "sse", clock.now(), is_new=True)
    clock.time_s = MIDNIGHT + 86_400.01

    batch = meter.take()
    assert (batch.day, batch.used[REALM].client_minutes) == (date(2025, 6, 16), 1)
    assert meter.take().day == date(2025, 6, 17)


def test_who_stays_is_the_most_of_the_next_batch_and_idle_realms_are_forgotten(meter: UsageMeter, clock: SteppedClock):
    meter.opened(REALM, "sse", clock.now(), is_new=True)
    meter.opened(OTHER, "sse", clock.now(), is_new=True)
    meter.closed(OTHER, clock.now())
    first, second = meter.take(), meter.take()

    assert (set(first.used), first.connected) == ({REALM, OTHER}, {REALM: 1})
    assert (second.used, second.connected) == ({REALM: Usage(max_connected=1)}, {REALM: 1})
    meter.closed(REALM, clock.now())
    meter.take()
    assert meter.take().used == {}
    assert meter._realms == {}


def test_a_clock_that_is_put_back_takes_nothing_away(meter: UsageMeter, clock: SteppedClock):
    meter.opened(REALM, "sse", clock.now(), is_new=True)
    clock.pass_time(-50)
    meter.opened(REALM, "sse", clock.now(), is_new=True)

    assert used(meter).client_minutes == 2


def test_a_backlog_adds_up_by_day_and_realm():
    backlog, day, next_day = UsageBacklog(), date(2025, 6, 16), date(2025, 6, 17)
    backlog.put(day, {REALM: Usage(max_connected=5, received=1)})
    backlog.put(day, {REALM: Usage(max_connected=3, received=2)})
    backlog.put(next_day, {REALM: Usage(received=4)})

    assert len(backlog) == 2
    assert backlog.take() == {
        day: {REALM: Usage(max_connected=5, received=3)},
        next_day: {REALM: Usage(received=4)},
    }
    assert backlog.take() == {}


def test_deliveries_are_part_of_both_counts_whoever_asks_first(meter: UsageMeter):
    deliver(meter, {"sse": 2})
    meter.gather()
    deliver(meter, {"sse": 3, "long-poll": 1})

    assert used(meter) == Usage(delivered=6, delivered_to_polls=1)
    meter.gather()
    assert meter.all_sent == {"sse": 5, "long-poll": 1}
