"""Items as they are packed for the broker, and what is told of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.items import HttpResponse, HttpStream, Item, WsMessage, pack_item, unpack_item
from fanoutcloud.core.names import ChannelName

names = st.text(min_size=1).map(ChannelName)
filters = st.lists(st.text(), max_size=3).map(tuple)
streams = st.builds(HttpStream, st.binary(), st.sampled_from(["send", "close", "hint"]), filters)
responses = st.builds(
    HttpResponse,
    code=st.integers(0, 999),
    reason=st.none() | st.text(),
    headers=st.lists(st.tuples(st.text(), st.text()), max_size=3).map(tuple),
    body=st.none() | st.binary(),
    body_patch=st.none() | st.binary(),
    action=st.sampled_from(["send", "hint"]),
    content_filters=filters,
)
messages = st.builds(
    WsMessage,
    content=st.binary(),
    type=st.sampled_from(["text", "binary", "ping", "pong"]),
    action=st.sampled_from(["send", "close", "hint"]),
    code=st.none() | st.integers(1000, 4999),
    reason=st.text(),
    content_filters=filters,
)
items = st.builds(
    Item,
    channel=names,
    id=st.none() | st.text(),
    prev_id=st.none() | st.text(),
    json_object=st.none() | st.binary(),
    http_stream=st.none() | streams,
    http_response=st.none() | responses,
    ws_message=st.none() | messages,
    meta=st.dictionaries(st.text(), st.text(), max_size=3),
    tags=st.dictionaries(
        st.text(), st.text() | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(0, 1), max_size=3
    ),
    no_seq=st.booleans(),
)


@given(item=items)
def test_an_item_is_unpacked_as_it_was_packed(item: Item):
    assert unpack_item(pack_item(item)) == item


def test_an_item_packed_before_later_members_were_known_is_still_read():
    packed = msgspec.msgpack.encode(["hello", "18", None, b"1"])

    assert unpack_item(packed) == Item(ChannelName("hello"), id="18", json_object=b"1")


def test_items_do_not_share_their_meta():
    one, other = Item(ChannelName("a")), Item(ChannelName("a"))

    assert one.meta is not other.meta


@pytest.mark.parametrize(
    ("item", "formats", "size_bytes", "first_content"),
    [
        (Item(ChannelName("a")), [], 0, b""),
        (Item(ChannelName("a"), json_object=b"null"), ["json-object"], 4, b"null"),
        (Item(ChannelName("a"), http_stream=HttpStream(b"abc")), ["http-stream"], 3, b"abc"),
        (Item(ChannelName("a"), http_response=HttpResponse(body=b"")), ["http-response"], 0, b""),
        (Item(ChannelName("a"), http_response=HttpResponse(body_patch=b"[]")), ["http-response"], 2, b"[]"),
        (Item(ChannelName("a"), http_response=HttpResponse(action="hint")), ["http-response"], 0, b""),
        (
            Item(ChannelName("a"), http_stream=HttpStream(b"abc"), ws_message=WsMessage(b"de")),
            ["http-stream", "ws-message"],
            5,
            b"abc",
        ),
    ],
)
def test_what_is_told_of_an_item(item: Item, formats: list[str], size_bytes: int, first_content: bytes):
    assert (item.formats, item.size_bytes, item.first_content) == (formats, size_bytes, first_content)
