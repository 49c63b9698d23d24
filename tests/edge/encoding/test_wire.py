"""Items as bytes: every wire format says the same, one line or event each, whatever was published."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import HttpResponse, HttpStream, Item, WsMessage
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.edge.encoding.wire import (
    PLAIN_JSON_LINES,
    PLAIN_RAW_STREAM,
    PLAIN_SSE,
    PLAIN_WEBSOCKET,
    PREPARED_JSON_LINES,
    PREPARED_RAW_STREAM,
    PREPARED_SSE,
    PREPARED_WEBSOCKET,
    WireFormat,
)
from fanoutcloud.edge.site.responses import SITE_HEADERS

POSITION = StreamPosition("k3v9q1zt", 5)
TALKING: list[WireFormat] = [PLAIN_WEBSOCKET, PLAIN_JSON_LINES, PLAIN_SSE]
PREPARED = [
    (PLAIN_WEBSOCKET, PREPARED_WEBSOCKET),
    (PLAIN_JSON_LINES, PREPARED_JSON_LINES),
    (PLAIN_SSE, PREPARED_SSE),
    (PLAIN_RAW_STREAM, PREPARED_RAW_STREAM),
]


def _stored(channel: str = "hello", **members: Any) -> StoredItem:
    return StoredItem(POSITION, Item(channel=ChannelName(channel), **members))


def _read(wire: WireFormat, frame: bytes) -> Any:
    """Return the message of one frame, which must be one line or one event."""
    if wire is PLAIN_SSE:
        *lines, empty, end = frame.decode().split("\n")
        assert empty == end == ""
        [data] = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        assert all(line.startswith(("id: ", "event: ", "data: ")) for line in lines), lines
        return json.loads(data)
    if wire is PLAIN_JSON_LINES:
        assert frame.count(b"\n") == 1
        assert frame.endswith(b"\n")
    return json.loads(frame)


_JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(st.sampled_from(TALKING), st.text(min_size=1), st.none() | st.text(), _JSON)
def test_json_items_are_read_back(wire: WireFormat, channel: str, item_id: str | None, value: Any) -> None:
    channel = channel.encode(errors="replace").decode()
    item_id = None if item_id is None else item_id.encode(errors="replace").decode()
    stored = _stored(channel, id=item_id, json_object=json.dumps(value).encode())

    expected = {"type": "item", "channel": channel, "position": "k3v9q1zt:5", "data": value}
    assert _read(wire, wire.item(stored)) == expected | ({} if item_id is None else {"id": item_id})


@given(st.binary(max_size=50))
def test_the_transports_own_content_is_text_or_base64(content: bytes) -> None:
    for wire, stored in (
        (PLAIN_WEBSOCKET, _stored(ws_message=WsMessage(content=content))),
        (PLAIN_JSON_LINES, _stored(http_stream=HttpStream(content=content))),
        (PLAIN_SSE, _stored(http_stream=HttpStream(content=content))),
    ):
        message = _read(wire, wire.item(stored))
        found = message["text"].encode() if "text" in message else base64.b64decode(message["base64"])
        assert found == content


@pytest.mark.parametrize("wire", TALKING)
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"http_response": HttpResponse(body=b"x")},
        {"ws_message": WsMessage(type="ping")},
        {"ws_message": WsMessage(action="close")},
        {"http_stream": HttpStream(action="hint")},
        {"http_stream": HttpStream(action="close")},
    ],
)
def test_an_item_with_nothing_to_show_only_tells_its_position(wire: WireFormat, members: dict[str, Any]) -> None:
    message = _read(wire, wire.item(_stored(id="18", **members)))

    assert message == {"type": "position", "channel": "hello", "position": "k3v9q1zt:5", "id": "18"}


@pytest.mark.parametrize(("plain", "prepared"), PREPARED)
def test_prepared_bytes_are_the_plain_ones_in_a_frame(plain: WireFormat, prepared: WireFormat) -> None:
    stored = _stored(json_object=b'{"a":1}')
    hello = ChannelName("hello")

    for name, args, options in (
        ("item", (stored,), {}),
        ("subscribed", (hello, POSITION), {"recovered": True}),
        ("reset", (hello, POSITION, "epoch_changed"), {}),
        ("keep_alive", (), {}),
    ):
        content = getattr(plain, name)(*args, **options)
        assert getattr(prepared, name)(*args, **options) == prepared.framing(content)
    for reason in CloseReason:
        closing = plain.closing(reason)
        assert prepared.closing(reason) == (prepared.framing(closing) if closing else b"")


def test_raw_streams_carry_content_alone() -> None:
    assert PLAIN_RAW_STREAM.item(_stored(http_stream=HttpStream(content=b"\xff"), json_object=b"1")) == b"\xff"
    assert PLAIN_RAW_STREAM.item(_stored(json_object=b"1")) == b"1\n"
    assert PLAIN_RAW_STREAM.item(_stored(ws_message=WsMessage(content=b"x"))) == b""
    assert PREPARED_RAW_STREAM.item(_stored(ws_message=WsMessage(content=b"x"))) == b""


@pytest.mark.parametrize("wire", TALKING)
def test_only_the_transports_own_close_ends_it(wire: WireFormat) -> None:
    by_websocket = _stored(ws_message=WsMessage(action="close", code=4000, reason="go")).item
    by_stream = _stored(http_stream=HttpStream(action="close")).item
    is_websocket = wire is PLAIN_WEBSOCKET

    assert (wire.ending(by_websocket) is not None) == is_websocket
    assert (wire.ending(by_stream) is not None) != is_websocket


def test_sse_names_everything_but_items_and_gives_positions_as_ids() -> None:
    assert PLAIN_SSE.item(_stored(json_object=b"1")).startswith(b"id: k3v9q1zt:5\ndata: ")
    assert PLAIN_SSE.item(_stored()).startswith(b"id: k3v9q1zt:5\nevent: position\ndata: ")
    assert PLAIN_SSE.keep_alive() == b'event: keep-alive\ndata: {"type":"keep-alive"}\n\n'
    assert PLAIN_SSE.closing(CloseReason.SLOW).startswith(b"event: closing\ndata: ")


def test_no_answer_of_a_site_can_run_in_a_browser() -> None:
    headers = dict(SITE_HEADERS)

    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"sandbox" in headers[b"content-security-policy"]
    assert b"access-control-allow-credentials" not in headers
