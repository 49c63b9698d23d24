"""The judge on logs that are made up: a sound one passes, and each way to break a promise is found and named."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prove.judge import judge
from tests.prove.log import (
    Acknowledged,
    Attempted,
    Began,
    Ended,
    Event,
    Harmed,
    Moved,
    OrderUnknown,
    Place,
    Received,
    Refused,
    Reset,
    Subscribed,
)
from tests.prove.report import tell_violations

CHANNEL = "door"


class Story:
    """A log that is told: one channel, writer "w", subscribers by name. Each event is a second behind the last."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def at(self) -> float:
        return float(len(self.events))

    def publish(self, number: int, *, acknowledged: bool = True, streams_only: bool = False) -> "Story":
        id_ = f"w/{number}"
        self.events.append(Attempted(self.at, id_, CHANNEL, "w", number, streams_only))
        if acknowledged:
            self.events.append(Acknowledged(self.at, id_))
        return self

    def connect(self, who: str, *, since: int | None = None, transport: str = "sse") -> "Story":
        asked = {} if since is None else {CHANNEL: place(since)}
        self.events.append(Began(self.at, who, transport, "edge.1", asked))
        return self

    def subscribed(self, who: str, offset: int, *, recovered: bool, epoch: str = "aaaaaaaa") -> "Story":
        self.events.append(Subscribed(self.at, who, CHANNEL, Place(epoch, offset), recovered))
        return self

    def joins(self, who: str, *, at: int = 0, transport: str = "sse") -> "Story":
        return self.connect(who, transport=transport).subscribed(who, at, recovered=False)

    def resumes(self, who: str, *, since: int) -> "Story":
        return self.connect(who, since=since).subscribed(who, since, recovered=True)

    def gets(self, who: str, offset: int, number: int | None = None, *, epoch: str = "aaaaaaaa") -> "Story":
        id_ = f"w/{offset if number is None else number}"
        self.events.append(Received(self.at, who, CHANNEL, Place(epoch, offset), id_, id_))
        return self

    def moves(self, who: str, offset: int) -> "Story":
        self.events.append(Moved(self.at, who, CHANNEL, place(offset)))
        return self

    def reset(self, who: str, offset: int, *, epoch: str = "aaaaaaaa") -> "Story":
        self.events.append(Reset(self.at, who, CHANNEL, Place(epoch, offset), "epoch_changed"))
        return self

    def ends(self, who: str) -> "Story":
        self.events.append(Ended(self.at, who, "killed"))
        return self


def place(offset: int) -> Place:
    return Place("aaaaaaaa", offset)


def broken(story: Story, *, resets_allowed: bool = False) -> list[str]:
    return [violation.promise for violation in judge(story.events, resets_allowed=resets_allowed)]


def test_a_sound_log_breaks_nothing() -> None:
    story = Story().joins("ann").joins("ben").publish(1).gets("ann", 1).gets("ben", 1).ends("ann")
    story.publish(2).gets("ben", 2).resumes("ann", since=1).gets("ann", 2).publish(3).gets("ann", 3).gets("ben", 3)

    assert broken(story) == []


def sound_story(count: int, cuts: set[int]) -> Story:
    """Return one where "ann" gets all items and reconnects behind those of `cuts`, and "ben" stays."""
    story = Story().joins("ann").joins("ben", transport="websocket")
    for number in range(1, count + 1):
        story.publish(number).gets("ben", number).gets("ann", number)
        if number in cuts:
            story.ends("ann").resumes("ann", since=number)
    return story


def receipts(story: Story) -> list[int]:
    return [place for place, event in enumerate(story.events) if isinstance(event, Received)]


@given(st.integers(1, 12), st.sets(st.integers(1, 12)), st.data())
def test_whatever_one_receipt_is_taken_from_a_sound_log_it_shows(
    count: int, cuts: set[int], data: st.DataObject
) -> None:
    story = sound_story(count, cuts)
    assert broken(story) == []

    del story.events[data.draw(st.sampled_from(receipts(story)))]

    assert set(broken(story)) & {"lost", "gap"}


@given(st.integers(1, 12), st.sets(st.integers(1, 12)), st.data())
def test_whatever_one_receipt_is_doubled_in_a_sound_log_it_shows(
    count: int, cuts: set[int], data: st.DataObject
) -> None:
    story = sound_story(count, cuts)
    first = data.draw(st.sampled_from(receipts(story)))

    story.events.insert(data.draw(st.integers(first, len(story.events))), story.events[first])

    assert "repeated" in broken(story)


def test_an_acknowledged_item_that_nobody_got_is_lost() -> None:
    story = Story().joins("ann").publish(1)

    (found,) = judge(story.events)

    assert (found.promise, found.subscriber, found.ids) == ("lost", "ann", ("w/1",))
    assert "nobody got it" in found.text


def test_an_item_that_was_never_acknowledged_may_be_missing_everywhere() -> None:
    story = Story().joins("ann").publish(1, acknowledged=False)

    assert broken(story) == []


def test_an_item_that_others_got_is_lost_though_it_was_not_acknowledged() -> None:
    story = Story().joins("ann").joins("ben").publish(1, acknowledged=False).gets("ben", 1)

    (found,) = judge(story.events)

    assert (found.promise, found.subscriber) == ("lost", "ann")


def test_who_comes_late_need_not_get_what_was_before() -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).joins("ben", at=1).publish(2).gets("ann", 2).gets("ben", 2)

    assert broken(story) == []


def test_a_jump_is_a_gap_and_names_what_is_missing() -> None:
    story = Story().joins("ann").joins("ben").publish(1).publish(2).gets("ben", 1).gets("ben", 2).gets("ann", 2)

    (found,) = judge(story.events)

    assert (found.promise, found.subscriber, found.ids) == ("gap", "ann", ("w/1",))
    assert "aaaaaaaa:1 (w/1)" in found.text


def test_an_item_that_comes_again_is_repeated() -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).gets("ann", 1)

    assert set(broken(story)) == {"repeated"}


def test_an_item_that_was_stored_twice_is_repeated() -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).gets("ann", 2, number=1)

    assert set(broken(story)) == {"repeated"}


def test_items_of_one_writer_come_in_its_order() -> None:
    story = Story().joins("ann").publish(1).publish(2).gets("ann", 1, number=2).gets("ann", 2, number=1)

    assert broken(story) == ["reordered"]


def test_within_a_burst_whose_order_is_unknown_any_order_is_right() -> None:
    story = Story().joins("ann").publish(1).publish(2).publish(3)
    story.gets("ann", 1, number=2).gets("ann", 2, number=1).gets("ann", 3)
    story.events.append(OrderUnknown(story.at, CHANNEL, "w", 1, 2))

    assert broken(story) == []


def test_a_burst_whose_order_is_unknown_still_comes_before_the_next() -> None:
    story = Story().joins("ann").publish(1).publish(2).publish(3)
    story.gets("ann", 1, number=2).gets("ann", 2, number=3).gets("ann", 3, number=1)
    story.events.append(OrderUnknown(story.at, CHANNEL, "w", 1, 2))

    assert broken(story) == ["reordered"]


def test_one_position_names_one_item() -> None:
    story = Story().joins("ann").joins("ben").publish(1).publish(2)
    story.gets("ann", 1).gets("ann", 2).gets("ben", 1, number=2)

    assert "disagreement" in broken(story)


def test_what_nobody_published_must_not_come() -> None:
    story = Story().joins("ann").gets("ann", 1)

    assert broken(story) == ["unpublished"]


def test_an_item_with_another_ones_content_was_not_published() -> None:
    story = Story().joins("ann").publish(1)
    story.events.append(Received(story.at, "ann", CHANNEL, place(1), "w/1", "w/9"))

    assert broken(story) == ["unpublished"]


def test_coming_back_and_beginning_anew_is_not_resumed() -> None:
    story = Story().joins("ann").joins("ben").publish(1).gets("ben", 1).ends("ann").publish(2)
    story.connect("ann", since=0).subscribed("ann", 1, recovered=False).gets("ben", 2).gets("ann", 2)

    assert broken(story) == ["not resumed", "gap"]


def test_beginning_anew_shows_even_when_nothing_was_missed() -> None:
    story = Story().joins("ann").ends("ann").connect("ann", since=0).subscribed("ann", 0, recovered=False)
    story.publish(1).gets("ann", 1)

    assert broken(story) == ["not resumed"]


def test_a_connection_that_ends_before_the_reset_has_promised_nothing() -> None:
    story = Story().joins("ann").ends("ann").connect("ann", since=0).subscribed("ann", 3, recovered=False).ends("ann")
    story.resumes("ann", since=0).publish(1).gets("ann", 1)

    assert broken(story) == []


def test_a_reset_is_a_violation_where_history_can_not_have_expired() -> None:
    story = Story().joins("ann").publish(1).reset("ann", 1)

    assert "reset" in broken(story)


def test_a_reset_covers_what_was_before_it_where_resets_are_allowed() -> None:
    story = Story().joins("ann").publish(1).reset("ann", 0, epoch="bbbbbbbb").publish(2)
    story.gets("ann", 1, number=2, epoch="bbbbbbbb")

    assert broken(story, resets_allowed=True) == []


def test_a_reset_covers_nothing_behind_it() -> None:
    story = Story().joins("ann").publish(1).reset("ann", 0, epoch="bbbbbbbb").publish(2)

    assert broken(story, resets_allowed=True) == ["lost"]


def test_what_came_before_a_reset_may_come_again_in_another_epoch_where_resets_are_allowed() -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).reset("ann", 0, epoch="bbbbbbbb")
    story.gets("ann", 1, epoch="bbbbbbbb")

    assert broken(story, resets_allowed=True) == []
    assert "repeated" in broken(story)


@pytest.mark.parametrize(("back_to", "is_repeated"), [(0, False), (1, True)])
def test_an_epoch_that_comes_back_may_repeat_what_is_behind_the_place_that_was_told(
    back_to: int, is_repeated: bool
) -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).reset("ann", 5, epoch="bbbbbbbb").reset("ann", back_to)
    story.gets("ann", back_to + 1, number=1)

    assert ("repeated" in broken(story, resets_allowed=True)) is is_repeated


def test_another_epoch_without_a_reset_is_a_gap() -> None:
    story = Story().joins("ann").publish(1).gets("ann", 1).publish(2).gets("ann", 1, number=2, epoch="bbbbbbbb")

    assert broken(story) == ["gap"]


@pytest.mark.parametrize(("streams_only", "expected"), [(True, []), (False, ["gap"])])
def test_a_poll_may_pass_over_what_has_nothing_for_it_and_over_nothing_else(
    streams_only: bool, expected: list[str]
) -> None:
    story = Story().joins("ann").joins("ben", transport="poll").publish(1, streams_only=streams_only).gets("ann", 1)
    story.moves("ben", 1)

    assert broken(story) == expected


def test_polls_alone_may_all_pass_over_what_has_nothing_for_them() -> None:
    story = Story().joins("ann", transport="poll").joins("ben", transport="poll").publish(1, streams_only=True)
    story.moves("ann", 1).moves("ben", 1)

    assert broken(story) == []


def test_polls_may_not_pass_over_more_than_was_published_for_others() -> None:
    story = Story().joins("ann", transport="poll").publish(1).publish(2, streams_only=True).moves("ann", 2)

    assert broken(story) == ["lost"]


def test_a_cursor_that_goes_back_is_not_resumed() -> None:
    story = Story().joins("ann", transport="poll").publish(1).gets("ann", 1).moves("ann", 0)

    assert broken(story) == ["not resumed"]


def test_a_sound_request_that_is_refused_is_a_violation() -> None:
    story = Story()
    story.events.append(Refused(1.0, "ann", "404 unknown_realm"))

    assert broken(story) == ["refused"]


@pytest.mark.parametrize(
    "tell",
    [
        lambda story: story.publish(1).ends("ann"),
        lambda story: story.publish(1).publish(2).gets("ann", 2),
        lambda story: story.publish(1).reset("ann", 1),
    ],
)
def test_the_report_shows_who_was_killed_and_what_became_of_the_item(tell: Callable[[Story], Story]) -> None:
    story = Story().joins("ann")
    story.events.append(Harmed(story.at, "edge.1", "killed"))
    tell(story)

    told = "\n".join(tell_violations(judge(story.events), story.events))

    assert "edge.1 killed" in told
    assert "ann connects to edge.1 over sse: from now" in told
    assert "BROKEN" in told
