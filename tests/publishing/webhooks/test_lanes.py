"""Whose turn it is: nobody beyond what is theirs, and nobody left out."""

from collections import Counter, deque
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fanoutcloud.outbound.messages import Trace
from publishing.webhooks.calls import Call, ClaimedRow, Destination, Outcome
from publishing.webhooks.lanes import MAX_AHEAD, REALM_SHARE, Lane, Turns
from publishing.webhooks.pace import MAX_AT_ONCE, Takes
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
    assert (begun.count(1), begun.count(2), turns.running) == (MAX_AT_ONCE, 3, MAX_AT_ONCE + 3)


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
    lane = lane_of(1, MAX_AT_ONCE)
    destination = lane.destination
    row = ClaimedRow(1, "evt", "k", "", "", "", "POST", [], b"", 0, 0, 0)
    call = Call(destination, (row,) * events, "claim", 0.0, "evt", b"x" * body_bytes)

    for turn in range(10):  # a quick one: each time through within a moment
        lane.queue.clear()
        lane.fill(destination, [call] * 10, now=1.0 + turn / 10)

    assert lane.ahead == most


def test_more_is_claimed_when_half_of_it_is_gone_and_only_if_there_was_more():
    lane = lane_of(1, MAX_AT_ONCE)
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
def test_one_that_has_too_much_to_do_gets_half_and_in_the_end_one_call_at_a_time_and_gives_back_what_waits(status: int):
    lane = lane_of(1, 0)
    seen = []
    for _ in range(12):
        answer(lane, status)
        seen.append((lane.window, lane.takes.per_minute))

    assert seen[:5] == [(5, None), (2, None), (1, None), (1, 30), (1, 15)]
    assert seen[-1] == (1, 1)
    assert lane.is_to_rest
    assert lane.room == 1
    lane.running += 1
    assert lane.room == 0


def test_what_is_the_customers_own_fault_slows_nothing():
    lane = lane_of(1, 0)
    for status in (400, 401, 404, 422):
        answer(lane, status)

    assert lane.takes == Takes()


def test_each_success_adds_to_what_it_takes():
    lane = lane_of(1, 0)
    for _ in range(5):
        answer(lane, 503)
    answer(lane, 200)
    after_one = lane.takes
    for _ in range(60):
        answer(lane, 200)

    assert after_one == Takes(1, 18)  # a quarter more than 15
    assert lane.takes == Takes(MAX_AT_ONCE)


def test_what_another_worker_found_is_read_with_what_is_claimed():
    lane = lane_of(1, 0)

    lane.fill(replace(lane.destination, takes=Takes(3)), [], now=2.0)
    at_once = lane.window
    lane.fill(replace(lane.destination, takes=Takes(1, 7)), [], now=3.0)

    assert at_once == 3
    assert (lane.window, lane.room) == (1, 1)
    lane.fill(replace(lane.destination, takes=Takes(), is_probed=True), [], now=4.0)
    assert lane.window == 1


def test_realms_take_turns_however_many_endpoints_they_have():
    turns = Turns(places=100)
    many = [lane_of(number, 50, realm="many") for number in range(10)]
    few = [lane_of(100 + number, 50, realm=f"few-{number}") for number in range(3)]
    for lane in [*many, *few]:
        turns.offer(lane)

    begun = begin_all(turns)

    assert Counter(one // 100 for one in begun[:40]) == {0: 10, 1: 30}  # a fourth for each realm
    assert {begun[:40].count(number) for number in range(10)} == {1}  # and its endpoints take turns
    assert len([one for one in begun if one < 100]) == 100 * REALM_SHARE


def test_all_get_their_places_in_turn_over_a_long_time():
    turns = Turns(places=20)
    lanes = {number: lane_of(number, 10_000, realm=f"realm-{number % 7}") for number in range(21)}
    for lane in lanes.values():
        turns.offer(lane)
    begun = begin_all(turns)
    running = deque(begun)
    for _ in range(7_000):
        end_one(turns, lanes[running.popleft()])
        new = begin_all(turns)
        running.extend(new)
        begun += new
        assert turns.running == 20

    by_endpoint = Counter(begun)
    assert max(by_endpoint.values()) - min(by_endpoint.values()) <= 2
    assert sum(by_endpoint.values()) == 7_020
