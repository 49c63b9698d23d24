"""An item written for somebody who wants to send it again."""

import msgspec
import pytest

from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.item_text import write_item
from fanoutcloud.core.items import HttpResponse, HttpStream, Item, WsMessage
from fanoutcloud.core.names import ChannelName

NEWS = ChannelName("news")


@pytest.mark.parametrize(
    "item",
    [
        Item(NEWS, json_object=b'{"price":1.10,"text":"\xc3\xa9"}', tags={"hot": True}, meta={"a": "b"}),
        Item(NEWS, http_stream=HttpStream(b"hello\n")),
        Item(NEWS, http_stream=HttpStream(b"\xff\x00", content_filters=("skip-self",))),
        Item(NEWS, http_stream=HttpStream(action="close")),
        Item(NEWS, http_response=HttpResponse(404, "Gone", (("X-A", "1"), ("X-A", "2")), b"no")),
        Item(NEWS, http_response=HttpResponse(body_patch=b'[{"op":"remove","path":"/a"}]')),
        Item(NEWS, http_response=HttpResponse(action="hint")),
        Item(NEWS, ws_message=WsMessage(b"hi")),
        Item(NEWS, ws_message=WsMessage(b"\xff", type="binary")),
        Item(NEWS, ws_message=WsMessage(b"hi", type="binary")),
        Item(NEWS, ws_message=WsMessage(b"", type="ping")),
        Item(NEWS, ws_message=WsMessage(action="close", code=4001, reason="bye")),
    ],
    ids=str,
)
def test_what_is_written_is_read_as_the_same_item(item: Item) -> None:
    [again] = parse_publish(b'{"items":[' + write_item(item).encode() + b"]}")

    assert _shape(again) == _shape(item)


def _shape(item: Item) -> object:
    """JSON is compared by its values: it is written with line breaks."""
    response = item.http_response
    if response is not None and response.body_patch is not None:
        return msgspec.json.decode(response.body_patch)
    if item.json_object is None:
        return item
    return msgspec.json.decode(item.json_object), item.tags, item.meta


def test_the_names_of_one_publication_are_left_out() -> None:
    text = write_item(Item(NEWS, id="1", prev_id="0", json_object=b"1"))

    assert msgspec.json.decode(text) == {"channel": "news", "formats": {"json-object": 1}}
