"""Bayeux messages, read and written."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.items import HttpStream, Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.bayeux.messages import (
    MAX_MESSAGES_PER_BATCH,
    Message,
    read_messages,
    write_batch,
    write_error,
    write_item,
    write_reply,
)

TEXT = st.text(max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def read_one(**members: object) -> Message:
    [message] = read_messages(json.dumps([members]).encode())
    return message


def store(item: Item) -> StoredItem:
    return StoredItem(StreamPosition("abcdefgh", 1), item)


@given(st.binary())
def test_no_bytes_raise_anything_but_our_error(body: bytes) -> None:
    try:
        messages = read_messages(body)
    except InvalidRequest:
        return
    assert isinstance(json.loads(body), dict | list)
    assert len(messages) <= MAX_MESSAGES_PER_BATCH


@given(st.dictionaries(TEXT, JSON, max_size=5))
def test_members_of_any_type_can_be_asked_for(members: dict[str, object]) -> None:
    message = read_one(**members)

    for name in members:
        assert message.text(name) in (members[name], None)
        message.texts(name)
    json.loads(write_reply(message, error=write_error(400, "x", message.channel)))


@pytest.mark.parametrize(("id_", "echoed"), [("a1", "a1"), (7, 7), (-1.5, -1.5), ([1], None), (None, None), ({}, None)])
def test_ids_are_echoed_as_they_came(id_: object, echoed: object) -> None:
    assert json.loads(write_reply(read_one(channel="/x", id=id_))).get("id") == echoed


def test_too_many_messages_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        read_messages(json.dumps([{}] * (MAX_MESSAGES_PER_BATCH + 1)).encode())


@pytest.mark.parametrize(
    ("advice", "seconds"), [({"timeout": 0}, 0), ({"timeout": 1500}, 1.5), ({"timeout": -5}, 0), ({}, None), (7, None)]
)
def test_advised_timeouts_are_milliseconds(advice: object, seconds: float | None) -> None:
    assert read_one(advice=advice).advised_timeout_s() == seconds


def test_extensions_are_asked_for_by_name() -> None:
    message = read_one(ext={"auth_token": "x", "other": 1})

    assert (message.extension("auth_token"), message.extension("other"), message.extension("none")) == ("x", None, None)


def test_an_item_without_json_is_nothing_to_a_bayeux_client() -> None:
    item = Item(ChannelName("a"), http_stream=HttpStream(b"x"))

    assert write_item(store(item)) is None


def test_an_item_is_written_around_the_publishers_json() -> None:
    item = Item(ChannelName("a/b"), id='1"8', json_object=b'{"n":1.50}')

    assert write_item(store(item)) == b'{"channel":"/a/b","data":{"n":1.50},"id":"1\\"8"}'


def test_a_batch_is_a_list() -> None:
    assert write_batch([]) == b"[]"
    assert json.loads(write_batch([b"{}", b"1"])) == [{}, 1]


def test_errors_hold_nothing_that_fayes_grammar_does_not_know() -> None:
    assert write_error(405, "Invalid channel", "/a:b,c\n") == "405:/a_b_c_:Invalid channel"
    assert write_error(429, "5 at once; try: again") == "429::5 at once  try  again"
