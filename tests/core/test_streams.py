"""Positions, cursors and epochs."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.streams import (
    EPOCH_CHANGED,
    EPOCH_LENGTH,
    MAX_OFFSET,
    PositionLost,
    StreamPosition,
    new_epoch,
    parse_cursor,
    parse_position,
    write_cursor,
)
from tests.core.published import refusal_or

epochs = st.text("abcdefghijkmnpqrstuvwxyz23456789", min_size=EPOCH_LENGTH, max_size=EPOCH_LENGTH)
positions = st.builds(StreamPosition, epochs, st.integers(0, MAX_OFFSET))


@given(position=positions)
def test_a_position_is_read_as_it_was_written(position: StreamPosition):
    assert parse_position(str(position)) == position


@given(cursor=st.lists(positions, min_size=1, max_size=20))
def test_a_cursor_is_read_as_it_was_written(cursor: list[StreamPosition]):
    assert parse_cursor(write_cursor(cursor), len(cursor)) == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "k3v9q1zt",
        "k3v9q1zt:",
        ":5",
        "k3v9q1z:5",
        "k3v9q1zta:5",
        "k3v9q1zt:-1",
        "k3v9q1zt:+1",
        "k3v9q1zt: 1",
        "k3v9q1zt:1 ",
        "k3v9q1zt:1\n",
        "k3v9q1zt:1:2",
        "k3v9q1zt:1_0",
        "k3v9q1zt:٣",
        "k3v9q1z\n:5",
        "k3v9q1zé:5",
        "k3v9q1zt:1e3",
        f"k3v9q1zt:{MAX_OFFSET + 1}",
        "k3v9q1zt:" + "9" * 5000,
    ],
)
def test_what_is_no_position_is_refused(text: str):
    with pytest.raises(InvalidRequest, match=r"^since: this is no position$"):
        parse_position(text)


@given(text=st.text())
def test_every_text_is_a_position_or_refused_with_our_error(text: str):
    position = refusal_or(lambda: parse_position(text))

    assert isinstance(position, InvalidRequest) or 0 <= position.offset <= MAX_OFFSET


@given(text=st.text(), count=st.integers(1, 5))
def test_every_text_is_a_cursor_of_so_many_channels_or_refused_with_our_error(text: str, count: int):
    cursor = refusal_or(lambda: parse_cursor(text, count))

    assert isinstance(cursor, InvalidRequest) or len(cursor) == count


def test_an_empty_part_of_a_cursor_is_no_position():
    assert parse_cursor("k3v9q1zt:5,,k3v9q1zt:7", 3) == [
        StreamPosition("k3v9q1zt", 5),
        None,
        StreamPosition("k3v9q1zt", 7),
    ]


@pytest.mark.parametrize(("text", "held"), [("k3v9q1zt:5", 1), ("k3v9q1zt:5,k3v9q1zt:6,k3v9q1zt:7", 3), ("", 1)])
def test_a_cursor_for_another_number_of_channels_says_how_many_it_holds(text: str, held: int):
    with pytest.raises(InvalidRequest, match=rf"^since: the cursor holds {held} positions, the request 2 channels$"):
        parse_cursor(text, 2)


def test_epochs_are_random_and_can_be_read_back():
    made = {new_epoch() for _ in range(1000)}

    assert len(made) == 1000
    assert all(parse_position(f"{epoch}:0").epoch == epoch for epoch in made)


def test_a_lost_position_survives_pickling():
    lost = pickle.loads(pickle.dumps(PositionLost(EPOCH_CHANGED, StreamPosition("k3v9q1zt", 5))))

    assert (lost.reason, lost.top) == ("epoch_changed", StreamPosition("k3v9q1zt", 5))
