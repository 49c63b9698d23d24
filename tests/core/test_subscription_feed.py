"""Cursors and lines of the subscription feed."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.core.subscription_feed import (
    FEED_CHANNEL,
    CursorTooOld,
    FeedCursor,
    change_item,
    parse_feed_cursor,
    write_line,
    write_page,
)

AT = StreamPosition("abcdefgh", 7)


@given(st.none() | st.text(st.characters(codec="utf-8")))
def test_a_cursor_reads_as_it_was_written(after: str | None) -> None:
    assert parse_feed_cursor(str(FeedCursor(AT, after))) == FeedCursor(AT, after)


@given(st.text())
def test_what_is_no_cursor_is_too_old(text: str) -> None:
    try:
        cursor = parse_feed_cursor(text)
    except CursorTooOld:
        return
    assert parse_feed_cursor(str(cursor)) == cursor


@pytest.mark.parametrize("after", [None, "a_b"])
def test_clients_compare_what_is_behind_the_first_underscore(after: str | None) -> None:
    text = base64.b64decode(str(FeedCursor(AT, after))).decode()

    assert text[text.index("_") + 1 :] == "7"


def test_a_line_follows_on_the_one_before() -> None:
    line = json.loads(write_line(StoredItem(AT, change_item(ChannelName("news"), "subscribed"))))

    assert line == {
        "cursor": str(FeedCursor(AT)),
        "prev_cursor": str(FeedCursor(StreamPosition("abcdefgh", 6))),
        "item": {"channel": "news", "state": "subscribed"},
    }


def test_the_last_page_is_empty_and_has_a_cursor() -> None:
    assert json.loads(write_page([], FeedCursor(AT))) == {"items": [], "last_cursor": str(FeedCursor(AT))}


def test_no_subscriber_can_name_the_feed() -> None:
    with pytest.raises(InvalidRequest):
        parse_channel_name(FEED_CHANNEL)
