"""From publish bodies to items: what is accepted, and what becomes of it."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidItem
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import HttpRequest, HttpResponse, HttpStream, WsMessage
from fanoutcloud.core.names import ChannelName
from tests.core.published import body_of, parse_json_object, parse_one

FORMATS: dict[str, Any] = {
    "json-object": {"open": True},
    "http-response": {"code": 201, "headers": {"X-A": "1"}, "body": "b"},
    "http-stream": {"content": "c"},
    "ws-message": {"content": "d", "type": "binary"},
}


@pytest.mark.parametrize("names", [["json-object"], ["http-stream", "ws-message"], list(FORMATS)])
def test_flat_and_nested_mean_the_same(names: list[str]):
    formats = {name: FORMATS[name] for name in names}

    [flat] = parse_publish(body_of({"channel": "a", "id": "1", **formats}))
    [nested] = parse_publish(body_of({"channel": "a", "id": "1", "formats": formats}))

    assert flat == nested
    assert sorted(flat.formats) == sorted(names)


def test_formats_are_used_alone_when_they_are_there():
    item = parse_one(json_object="outside", formats={"http-stream": {"content": "inside"}})

    assert item.formats == ["http-stream"]


def test_items_keep_their_order():
    items = parse_publish(body_of(*({"channel": f"c{n}", "json-object": n} for n in range(10))))

    assert [(item.channel, item.json_object) for item in items] == [(f"c{n}", str(n).encode()) for n in range(10)]


def test_a_channel_of_the_path_is_for_items_that_name_none():
    body = body_of({"json-object": 1}, {"channel": "other", "json-object": 2}, {"channel": None, "json-object": 3})

    items = parse_publish(body, channel=ChannelName("room/7"))

    assert [item.channel for item in items] == ["room/7", "other", "room/7"]


# -- json-object


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b"true",
        b"0",
        b"-0.0",
        b"1e400",
        b"0.1000",
        b"1E+2",
        b"12345678901234567890123456789",
        b"1" * 5000,
        b'""',
        rb'"\u00e9 \ud83c\udf89 \/ \u0000"',
        '"é 🎉 \u2028"'.encode(),
        b"[]",
        b"{}",
        b'{"b":1,"a":2,"b":3}',
        b"[ 1,\t2 ]",
    ],
)
def test_a_json_object_arrives_digit_by_digit(text: bytes):
    assert parse_json_object(text) == text


@pytest.mark.parametrize("line_break", [b"\n", b"\r", b"\r\n", b"\n\n   "])
def test_a_json_object_loses_its_line_breaks_and_nothing_else(line_break: bytes):
    text = b'{"b":%b1.50,"a":[%b12345678901234567890123,1e400],%b"c":"x\\ny"}' % ((line_break,) * 3)

    assert parse_json_object(text) == b'{"b":1.50,"a":[12345678901234567890123,1e400],"c":"x\\ny"}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=json_values, indent=st.sampled_from([None, 0, 2]), is_ascii=st.booleans())
def test_every_json_value_arrives_on_one_line_and_means_the_same(value: Any, indent: int | None, is_ascii: bool):
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()

    kept = parse_json_object(text)

    assert kept is not None
    assert b"\n" not in kept
    assert b"\r" not in kept
    assert json.loads(kept) == value


def test_null_is_a_json_object():
    item = parse_one(json_object=None)

    assert item.json_object == b"null"
    assert item.formats == ["json-object"]


def test_fpp_is_the_older_name_of_json_object():
    assert parse_one(fpp={"a": 1}) == parse_one(json_object={"a": 1})
    assert parse_one(formats={"fpp": 1}) == parse_one(formats={"json-object": 1})


def test_json_object_wins_over_its_older_name():
    assert parse_one(fpp=1, json_object=2).json_object == b"2"


# -- ids and other members


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("18", "18"),
        (18, "18"),
        (-1, "-1"),
        (0, "0"),
        (1.5, "1.5"),
        ("", ""),
        (None, None),
        (12345678901234567890123456789, "12345678901234567890123456789"),
    ],
)
def test_ids_are_opaque_text_and_numbers_are_taken_as_theirs(sent: Any, kept: str | None):
    item = parse_one(id=sent, prev_id=sent, json_object=1)

    assert (item.id, item.prev_id) == (kept, kept)


def test_members_that_nobody_knows_are_passed_over():
    item = parse_one(json_object=1, exports={}, later=[1, 2])

    assert item == parse_one(json_object=1)


def test_meta_and_no_seq_are_kept():
    item = parse_one(json_object=1, meta={"sender": "bob", "skip_users": "a,b"}, no_seq=True)

    assert (item.meta, item.no_seq) == ({"sender": "bob", "skip_users": "a,b"}, True)


@pytest.mark.parametrize(
    "members",
    [
        {"formats": {"carrier-pigeon": {"rings": 2}}},
    ],
)
def test_an_item_with_only_a_format_for_others_is_accepted(members: dict[str, Any]):
    assert parse_one(**members).formats == []


def test_a_format_for_others_beside_one_of_ours_is_passed_over():
    item = parse_one(formats={"carrier-pigeon": {"rings": 2}, "json-object": 1})

    assert item.formats == ["json-object"]


# -- http-stream


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"content": "hé"}, HttpStream("hé".encode())),
        ({"content": ""}, HttpStream(b"")),
        ({"content-bin": "AP8="}, HttpStream(b"\x00\xff")),
        ({"content": "text", "content-bin": "AP8="}, HttpStream(b"\x00\xff")),
        ({"action": "close"}, HttpStream(action="close")),
        ({"action": "close", "content": ""}, HttpStream(action="close")),
        ({"action": "hint"}, HttpStream(action="hint")),
        ({"action": "refresh"}, HttpStream(action="refresh")),
        ({"content": "x", "content-filters": ["build-id"]}, HttpStream(b"x", content_filters=("build-id",))),
    ],
)
def test_http_stream(sent: dict[str, Any], kept: HttpStream):
    assert parse_one(http_stream=sent).http_stream == kept


# -- http-response


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"body": "b"}, HttpResponse(body=b"b")),
        ({"body": ""}, HttpResponse(body=b"")),
        ({"body-bin": "/w=="}, HttpResponse(body=b"\xff")),
        ({"body": "", "code": 404}, HttpResponse(404, body=b"")),
        ({"body": "", "code": "404"}, HttpResponse(404, body=b"")),
        ({"body": "", "code": 0}, HttpResponse(0, body=b"")),
        ({"body": "", "code": 999, "reason": "Odd"}, HttpResponse(999, "Odd", body=b"")),
        ({"body": "", "headers": {"A": "1", "B": "x\ty"}}, HttpResponse(headers=(("A", "1"), ("B", "x\ty")), body=b"")),
        ({"body": "", "headers": [["A", "1"], ["A", "2"]]}, HttpResponse(headers=(("A", "1"), ("A", "2")), body=b"")),
        ({"body-patch": [{"op": "add", "path": "/a", "value": 1.50}]}, None),
        ({"action": "hint"}, HttpResponse(action="hint")),
        ({"action": "close"}, HttpResponse(action="close")),
        ({"action": "refresh"}, HttpResponse(action="refresh")),
        ({"body": "", "content-filters": ["build-id"]}, HttpResponse(body=b"", content_filters=("build-id",))),
    ],
)
def test_http_response(sent: dict[str, Any], kept: HttpResponse | None):
    response = parse_one(http_response=sent).http_response

    assert response == (kept or HttpResponse(body_patch=b'[{"op": "add", "path": "/a", "value": 1.5}]'))


# -- ws-message


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"content": "d"}, WsMessage(b"d")),
        ({"content": ""}, WsMessage(b"")),
        ({"content-bin": "/w=="}, WsMessage(b"\xff", "binary")),
        ({"content": "d", "type": "binary"}, WsMessage(b"d", "binary")),
        ({"content-bin": "ZA==", "type": "text"}, WsMessage(b"d")),
        ({"type": "ping"}, WsMessage(b"", "ping")),
        ({"type": "pong", "content": "p" * 125}, WsMessage(b"p" * 125, "pong")),
        ({"action": "close"}, WsMessage(action="close")),
        ({"action": "close", "code": 4001, "reason": "bye"}, WsMessage(action="close", code=4001, reason="bye")),
        ({"action": "close", "reason": "r" * 123}, WsMessage(action="close", reason="r" * 123)),
        ({"action": "hint"}, WsMessage(action="hint")),
        ({"action": "refresh"}, WsMessage(action="refresh")),
        ({"action": "close", "code": "4001"}, WsMessage(action="close", code=4001)),
        ({"content": "d", "content-filters": ["build-id"]}, WsMessage(b"d", content_filters=("build-id",))),
    ],
)
def test_ws_message(sent: dict[str, Any], kept: WsMessage):
    assert parse_one(ws_message=sent).ws_message == kept


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1014, 3000, 4999])
def test_close_codes_that_may_be_sent(code: int):
    message = parse_one(ws_message={"action": "close", "code": code}).ws_message

    assert message is not None
    assert message.code == code


@given(content=st.binary())
def test_base64_content_arrives_byte_by_byte(content: bytes):
    encoded = base64.b64encode(content).decode()

    item = parse_one(
        http_stream={"content-bin": encoded}, ws_message={"content-bin": encoded}, http_response={"body-bin": encoded}
    )

    assert item.http_stream == HttpStream(content)
    assert item.ws_message == WsMessage(content, "binary")
    assert item.http_response == HttpResponse(body=content)


@pytest.mark.parametrize("size", [0, 2048, "17"])
def test_a_size_is_taken_and_not_kept(size: object):
    assert parse_one(json_object=1, size=size) == parse_one(json_object=1)


def test_a_request_is_kept_as_it_is_to_be_sent():
    item = parse_one(formats={"http-request": {"method": "put", "headers": {"X-A": "1"}, "body-bin": "aGk="}})

    assert item.http_request == HttpRequest("PUT", (("X-A", "1"),), b"hi")
    assert (item.formats, item.size_bytes, item.first_content) == (["http-request"], 2, b"hi")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"method": "CONNECT"}, "method"),
        ({"headers": {"a b": "1"}}, "headers"),
        ({"headers": {"a": "1\r\nb: 2"}}, "headers.a"),
        ({"headers": [["a", "1"]] * 33}, "headers"),
        ({"headers": {"a": "1" * 9000}}, "headers"),
        ({"body-bin": "?"}, "body-bin"),
    ],
)
def test_a_request_that_can_not_be_sent_is_refused_by_its_place(request_: dict[str, Any], field: str):
    with pytest.raises(InvalidItem) as refused:
        parse_one(formats={"http-request": request_})

    assert refused.value.field == f"items[0].formats.http-request.{field}"
    assert refused.value.cure
