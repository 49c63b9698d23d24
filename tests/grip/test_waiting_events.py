"""What clients said and origins have not taken yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.waiting_events import MAX_WAITING_BYTES, WaitingEvents
from fanoutcloud.grip.ws_over_http import BadEvents, Event, close_event


def waiting(*events: Event) -> WaitingEvents:
    waiting = WaitingEvents()
    for event in events:
        waiting.add(event)
    return waiting


def test_what_waits_goes_together_in_order():
    events = waiting(Event("TEXT", b"a"), Event("PING"), Event("BINARY", b"b"))

    assert events.has_news
    assert events.take_batch() == [Event("TEXT", b"a"), Event("PING"), Event("BINARY", b"b")]
    events.accept(None)
    assert (events.take_batch(), events.size_bytes, events.has_news) == ([], 0, False)


def test_a_request_holds_what_fits():
    half = Event("BINARY", b"x" * (MAX_WAITING_BYTES // 2))
    events = waiting(half, half, Event("TEXT", b"y"))

    assert events.is_full
    assert events.take_batch() == [half, half]
    assert events.has_news
    events.accept(None)
    assert (events.size_bytes, events.take_batch()) == (1, [Event("TEXT", b"y")])


def test_what_is_not_taken_is_replayed_with_what_is_new():
    events = waiting(Event("TEXT", b"[foo][hello"))

    events.take_batch()
    events.accept(5)
    assert not events.has_news
    events.add(Event("TEXT", b" world]"))

    assert events.replayed_bytes == 6
    assert events.take_batch() == [Event("TEXT", b"[hello"), Event("TEXT", b" world]")]


def test_a_close_is_taken_whole_or_not_at_all():
    events = waiting(Event("TEXT", b"abc"), close_event(1000))
    events.take_batch()
    with pytest.raises(BadEvents, match="inside of a close"):
        events.accept(4)


def test_more_than_was_offered_can_not_be_taken():
    events = waiting(Event("TEXT", b"abc"))
    events.take_batch()
    with pytest.raises(BadEvents, match="is 4, but 3 were sent"):
        events.accept(4)


def test_no_progress_is_a_fault_where_more_waits_than_fits():
    events = waiting(Event("BINARY", b"x" * MAX_WAITING_BYTES), Event("TEXT", b"y"))
    events.take_batch()
    with pytest.raises(BadEvents, match="is 0"):
        events.accept(0)


def test_nothing_is_left_after_clearing():
    events = waiting(Event("TEXT", b"abc"))
    events.clear()

    assert (events.has_news, events.size_bytes, events.take_batch()) == (False, 0, [])


@given(contents=st.lists(st.binary(max_size=20), max_size=20), shares=st.lists(st.integers(0, 40), max_size=40))
def test_every_byte_is_taken_once_and_in_order(contents: list[bytes], shares: list[int]):
    events, taken = waiting(*(Event("BINARY", content) for content in contents)), b""
    for share in [*shares, 10**6]:
        offered = b"".join(event.content for event in events.take_batch())
        accepted = min(share, len(offered))
        taken += offered[:accepted]
        events.accept(accepted)
        assert events.replayed_bytes == len(offered) - accepted

    assert taken == b"".join(contents)
    assert events.size_bytes == 0
