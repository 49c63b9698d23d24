"""What the prover's clients make of answers."""

from tests.prove.transports import Message, in_order


def message(kind: str, channel: str, position: str) -> Message:
    return {"type": kind, "channel": channel, "position": position}


def test_a_poll_tells_a_reset_between_what_was_before_it_and_what_is_behind_it() -> None:
    before, behind = message("item", "door", "aaaaaaaa:38"), message("item", "door", "bbbbbbbb:3")
    other = message("item", "bell", "cccccccc:7")
    reset, late_reset = message("reset", "door", "bbbbbbbb:2"), message("reset", "lamp", "dddddddd:0")

    assert list(in_order([before, other, behind], [late_reset, reset])) == [before, other, reset, behind, late_reset]


def test_items_that_expired_history_reset_come_before_it() -> None:
    before, reset = message("item", "door", "aaaaaaaa:38"), message("reset", "door", "aaaaaaaa:90")

    assert list(in_order([before], [reset])) == [before, reset]
