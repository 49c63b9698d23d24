"""Whose turn it is: nobody beyond what is theirs, and nobody left out."""

from datetime import UTC, datetime

import pytest

from fanoutcloud.outbound.messages import Trace
from publishing.webhooks.calls import Call, ClaimedRow, Destination, Outcome
from publishing.webhooks.lanes import MAX_AHEAD, MAX_WINDOW, Lane, Turns
from publishing.webhooks.schedule import Verdict
from publishing.webhooks.signing import SigningKeys


def lane_of(endpoint_id: int, calls: int, *, realm: str = "", is_ordered: bool = False) -> Lane:
    destination = Destination(
        endpoint_id, realm or f"realm-{endpoint_id}", None, "", SigningKeys(()), is_ordered=is_ordered
    )
    row = ClaimedRow(1, "evt", "k", "", "", "", "POST", [], b"", 0, 0, 0)
    lane = Lane(destination)
    lane.fill(destination, [Call(destination, (row,), "claim", 0.0, "evt", b"")] * calls, now=1.0)
    return lane


def begin_all(turns: Turns) -> list[int]:
    """Begin what may begin; return whose calls these were."""
    begun = []
    while (pair := turns.next_call()) is not None:
        begun.append(pair[0].destination.endpoint_id)
    return begun


def end_one(turns: Turns, lane: Lane) -> None:
    lane.running -= 1
    turns.ended(lane)


def test_lanes_take_turns_and_none_goes_beyond_its_window():
    turns, many, few = Turns(places=100), lane_of(1, 50), lane_of(2, 3)
    turns.offer(many)
    turns.offer(few)

    begun = begin_all(turns)

    assert begun[:6] == [1, 2, 1, 2, 1, 2]
    assert (begun.count(1), begun.count(2), turns.running) == (MAX_WINDOW, 3, MAX_WINDOW + 3)


def test_a_place_that_becomes_free_goes_to_whoever_has_waited_longest():
    turns = Turns(places=4)
    lanes = [lane_of(number, 10) for number in range(6)]
    for lane in lanes:
        turns.offer(lane)
    at_first = begin_all(turns)

    end_one(turns, lanes[0])

    assert at_first == [0, 1, 2, 3]
    assert begin_all(turns) == [4]


def test_a_realm_has_its_share_and_what_it_held_up_goes_on_when_one_of_its_calls_ends():
    turns = Turns(places=20)  # so that a realm has four
    first, second, other = lane_of(1, 9, realm="a"), lane_of(2, 9, realm="a"), lane_of(3, 9, realm="b")
    for lane in (first, second, other):
        turns.offer(lane)
    begun = begin_all(turns)

    end_one(turns, first)
    next_of_a = begin_all(turns)

    assert (begun.count(1) + begun.count(2), begun.count(3)) == (4, 4)
    assert len(next_of_a) == 1
    assert next_of_a[0] in (1, 2)


@pytest.mark.parametrize(
    ("events", "body_bytes", "most"),
    [(1, 100, MAX_AHEAD), (1, 262_144, 16), (100, 30_000, 50), (100, 262_144, 16)],
)
def test_what_is_claimed_ahead_is_bounded_in_calls_events_and_bytes(events: int, body_bytes: int, most: int):
    lane = lane_of(1, MAX_WINDOW)
    destination = lane.destination
    row = ClaimedRow(1, "evt", "k", "", "", "", "POST", [], b"", 0, 0, 0)
    call = Call(destination, (row,) * events, "claim", 0.0, "evt", b"x" * body_bytes)

    for turn in range(10):  # a quick one: each time through within a moment
        lane.queue.clear()
        lane.fill(destination, [call] * 10, now=1.0 + turn / 10)

    assert lane.ahead == most


def test_more_is_claimed_when_half_of_it_is_gone_and_only_if_there_was_more():
    lane = lane_of(1, MAX_WINDOW)
    full = lane.room
    while lane.queue:
        lane.queue.pop()

    assert full == 0
    assert (lane.room, lane.is_low) == (lane.ahead, True)
    lane.has_more = False
    assert not lane.is_low


def answer(lane: Lane, status: int) -> None:
    """Have one call of a lane be made and answered."""
    lane.running += 1
    verdict = Verdict(status=status) if status < 300 else Verdict("status", "failed", status=status)
    now = datetime.now(UTC)
    call = Call(lane.destination, (), "claim", 0.0, "evt", b"")
    lane.ended(Outcome(call, verdict, now, now, 1.0, None, Trace(), [], [], ""))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_one_that_has_too_much_to_do_gets_half_and_in_the_end_less_than_one_at_a_time(status: int):
    lane = lane_of(1, 0)
    seen = []
    for _ in range(12):
        answer(lane, status)
        seen.append((lane.window, round((lane.pace.per_s or 0) * 60)))

    assert seen[:7] == [(5, 0), (2, 0), (1, 0), (1, 30), (1, 15), (1, 8), (1, 4)]
    assert seen[-1] == (1, 1)
    assert lane.is_to_rest
    assert lane.room_now(1000.0) == 1
    lane.pace.took(1)
    assert lane.room_now(1030.0) == 0


def test_what_is_the_customers_own_fault_slows_nothing():
    lane = lane_of(1, 0)
    for status in (400, 401, 404, 422):
        answer(lane, status)

    assert (lane.window, lane.pace.per_s) == (MAX_WINDOW, None)


def test_each_success_adds_one():
    lane = lane_of(1, 0)
    for _ in range(5):
        answer(lane, 503)
    slow = lane.pace.per_s
    answer(lane, 200)
    after_one = (lane.window, lane.pace.per_s)
    for _ in range(60):
        answer(lane, 200)

    assert slow is not None
    assert after_one == (1, pytest.approx(slow + 1 / 60))
    assert (lane.window, lane.pace.per_s) == (MAX_WINDOW, None)
