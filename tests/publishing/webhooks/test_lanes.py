"""Whose turn it is: nobody beyond what is theirs, and nobody left out."""

import pytest

from publishing.webhooks.calls import Call, ClaimedRow, Destination
from publishing.webhooks.lanes import MAX_AHEAD, MAX_WINDOW, Lane, Turns
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
