"""Counting one channel in one process: what is reported, and when."""

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.presence import ChannelReport, UserReport
from fanoutcloud.edge.presence.tally import GRACE_S, Tally

ALICE, BOB = Grant(user="alice", info=b"1"), Grant(user="bob")


def _report(tally: Tally, now: float = 0.0) -> ChannelReport:
    report = tally.take_report(now)
    assert report is not None
    return report


def test_whoever_comes_is_reported_at_once_and_only_what_changed() -> None:
    tally = Tally()
    tally.enter(ALICE)
    assert _report(tally) == ChannelReport([UserReport("alice", 1, b"1")], 1, 0, is_whole=True)
    assert not tally.is_dirty

    tally.enter(BOB)
    tally.enter(ANONYMOUS)
    assert _report(tally) == ChannelReport([UserReport("bob", 1)], 3, 1)


def test_a_second_connection_of_a_user_changes_counts_only() -> None:
    tally = Tally()
    tally.enter(ALICE)
    _report(tally)

    tally.enter(ALICE)
    tally.leave(ALICE, 0.0)

    assert _report(tally, 10.0).users == []
    assert not tally.is_dirty


def test_whoever_leaves_is_reported_after_its_grace() -> None:
    tally = Tally()
    for grant in (ALICE, BOB):
        tally.enter(grant)
    _report(tally)
    tally.leave(ALICE, 100.0)

    assert _report(tally, 100.5) == ChannelReport([], 1, 0)
    assert tally.is_dirty
    assert _report(tally, 100.0 + GRACE_S) == ChannelReport([UserReport("alice", 0)], 1, 0)
    assert not tally.is_dirty


def test_whoever_comes_back_within_its_grace_never_left() -> None:
    tally = Tally()
    tally.enter(BOB)
    tally.enter(ALICE)
    _report(tally)
    tally.leave(ALICE, 100.0)
    _report(tally, 100.1)
    tally.enter(ALICE)

    assert _report(tally, 110.0).users == []


def test_an_empty_channel_is_reported_after_its_grace_only() -> None:
    tally = Tally()
    tally.enter(ALICE)
    _report(tally)
    tally.leave(ALICE, 100.0)

    assert tally.take_report(100.1) is None
    assert not tally.is_over
    assert _report(tally, 102.0) == ChannelReport([UserReport("alice", 0)], 0, 0)
    assert tally.is_over


def test_an_anonymous_poll_that_comes_again_leaves_the_channel_occupied() -> None:
    tally = Tally()
    tally.enter(ANONYMOUS)
    _report(tally)
    tally.leave(ANONYMOUS, 100.0)
    assert tally.take_report(100.1) is None
    tally.enter(ANONYMOUS)

    assert _report(tally, 102.0).connections == 1


def test_who_brings_other_information_is_reported_again() -> None:
    tally = Tally()
    tally.enter(ALICE)
    _report(tally)
    tally.enter(Grant(user="alice", info=b"2"))

    assert _report(tally).users == [UserReport("alice", 2, b"2")]


def test_a_repeated_report_names_all_that_are_here() -> None:
    tally = Tally()
    for grant in (ALICE, BOB):
        tally.enter(grant)
    _report(tally)
    tally.leave(ALICE, 100.0)
    tally.repeat()

    assert _report(tally, 100.1) == ChannelReport(
        [UserReport("alice", 1, b"1"), UserReport("bob", 1)], 1, 0, is_whole=True
    )


def test_a_channel_that_is_counted_no_more_is_reported_empty_at_once() -> None:
    tally = Tally()
    tally.enter(ALICE)
    _report(tally)

    tally.clear(100.0)

    assert _report(tally, 100.0) == ChannelReport([], 0, 0, is_whole=True)
    assert tally.is_over
