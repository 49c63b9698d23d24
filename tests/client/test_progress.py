"""The place of a subscription in its channels."""

import pytest

from fanoutcloud_client.events import ReceivedItem, Reset
from fanoutcloud_client.progress import Gap, Progress


def item(channel: str, position: str) -> dict[str, str]:
    return {"type": "item", "channel": channel, "position": position, "data": position}


def subscribed(channel: str, position: str) -> dict[str, str]:
    return {"type": "subscribed", "channel": channel, "position": position}


def test_a_cursor_names_the_positions_in_the_order_of_the_channels() -> None:
    progress = Progress(["b", "a"])
    progress.take(subscribed("a", "x:4"))
    progress.take(subscribed("b", "y:7"))

    progress.take(item("a", "x:5"))

    assert (progress.cursor, progress.positions) == ("y:7,x:5", {"b": "y:7", "a": "x:5"})


def test_there_is_no_cursor_while_a_position_is_unknown() -> None:
    progress = Progress(["a", "b"], {"a": "x:1"})

    assert (progress.cursor, progress.unknown) == (None, ["b"])


def test_an_item_that_comes_again_is_not_told() -> None:
    progress = Progress(["a"], {"a": "x:3"})

    told = [progress.take(item("a", position)) for position in ("x:3", "x:4", "x:4", "x:2")]

    assert [len(events) for events in told] == [0, 1, 0, 0]


def test_a_gap_is_asked_for_again_once_and_then_told_as_a_reset() -> None:
    progress = Progress(["a"], {"a": "x:3"})
    progress.sees_every_position = True
    with pytest.raises(Gap):
        progress.take(item("a", "x:6"))

    told = progress.take(item("a", "x:6"))

    assert [type(event) for event in told] == [Reset, ReceivedItem]
    assert progress.cursor == "x:6"


def test_where_not_every_position_is_told_a_jump_is_no_gap() -> None:
    progress = Progress(["a"], {"a": "x:3"})

    assert len(progress.take(item("a", "x:6"))) == 1


def test_another_epoch_is_never_compared() -> None:
    progress = Progress(["a"], {"a": "x:300"})
    progress.sees_every_position = True

    assert len(progress.take(item("a", "y:1"))) == 1


def test_channels_that_a_pattern_found_are_kept_for_coming_back() -> None:
    progress = Progress([])
    progress.take(subscribed("orders.7", "x:0"))
    progress.take(subscribed("orders.8", "y:0"))
    progress.take({"type": "unsubscribed", "channel": "orders.7"})

    assert (progress.channels, progress.cursor) == (["orders.8"], "y:0")


@pytest.mark.parametrize(
    "message", [{}, {"type": "news"}, {"type": "welcome"}, {"type": "subscribed", "pattern": "a.*"}]
)
def test_what_is_new_or_between_client_and_server_is_passed_over(message: dict[str, str]) -> None:
    assert Progress(["a"]).take(message) == []
