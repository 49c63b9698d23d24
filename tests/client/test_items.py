"""Items as they are sent."""

import json

import pytest

from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.items import Item, batches, http_response, http_stream, ws_message


def test_null_can_be_published() -> None:
    assert Item("a", None).as_json() == {"channel": "a", "formats": {"json-object": None}}


def test_formats_stand_beside_data() -> None:
    formats = http_stream("hi\n") | ws_message(b"\x00") | http_response("done", code=201)

    told = Item("a", 1, formats=formats, prev_id="7", tags={"x": 1}, no_seq=True).as_json()

    assert told == {
        "channel": "a",
        "formats": {
            "json-object": 1,
            "http-stream": {"content": "hi\n"},
            "ws-message": {"content-bin": "AA==", "type": "binary"},
            "http-response": {"code": 201, "body": "done"},
        },
        "prev-id": "7",
        "tags": {"x": 1},
        "no-seq": True,
    }


def test_an_item_keeps_its_id_and_gets_one_where_it_has_none() -> None:
    assert Item("a", 1, id="18").with_id().id == "18"
    assert Item("a", 1).with_id().id != Item("a", 1).with_id().id


def test_an_item_needs_a_format() -> None:
    with pytest.raises(InvalidRequest, match="no format; give data"):
        Item("a").as_json()


@pytest.mark.parametrize("data", [object(), float("nan"), "\ud800", {1: {2, 3}}])
def test_what_is_not_json_is_said_so(data: object) -> None:
    with pytest.raises(InvalidRequest, match="not JSON"):
        list(batches([Item("a", data)], max_bytes=1000))


def test_batches_hold_a_thousand_items_and_so_many_bytes_in_order() -> None:
    items = [Item("a", n) for n in range(2500)]

    by_count = [len(batch) for batch, _ in batches(items, max_bytes=10**6)]
    by_size = list(batches(items, max_bytes=5000))

    assert by_count == [1000, 1000, 500]
    assert all(len(body) <= 5100 for _, body in by_size)
    assert [one["formats"]["json-object"] for _, body in by_size for one in json.loads(body)["items"]] == [*range(2500)]
