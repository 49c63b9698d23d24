"""Publish bodies that are refused: each names the place of its fault, and nothing but our errors is raised."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fanoutcloud.core.errors import FanoutError, InvalidItem, InvalidRequest
from fanoutcloud.core.formats import MAX_ITEMS_PER_REQUEST, parse_publish
from tests.core.published import body_of, parse_json_object, refusal_or

GOOD = {"channel": "a", "json-object": 1}


def refusal_of(body: bytes) -> FanoutError:
    with pytest.raises(InvalidRequest) as refused:
        parse_publish(body)
    return refused.value


# -- the request as a whole


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "body: input data was truncated"),
        (b"hello", "body: JSON is malformed: invalid character (byte 0)"),
        (b'{"items":[', "body: input data was truncated"),
        (b'{"items":[]} x', "body: JSON is malformed: trailing characters (byte 14)"),
        (b"\xef\xbb\xbf{}", "body: JSON is malformed: invalid character (byte 0)"),
        (b'{"items":[{"channel":"\xff"}]}', "body: byte 22 is not UTF-8"),
        (b'{"items":[{"channel":"a","json-object":"\xc3\x28"}]}', "body: byte 40 is not UTF-8"),
        (b'{"items":[{"channel":"a","json-object":"\xed\xa0\x80"}]}', "body: byte 40 is not UTF-8"),
        (b"null", "body: expected 'object', got 'null'"),
        (b"[]", "body: expected 'object', got 'array'"),
        (b'"items"', "body: expected 'object', got 'str'"),
        (b"{}", "body: object missing required field 'items'"),
        (b'{"items":null}', "items: expected 'array', got 'null'"),
        (b'{"items":{}}', "items: expected 'array', got 'object'"),
        (b'{"items":[]}', "items: the list is empty"),
    ],
)
def test_a_body_of_another_shape_is_refused_with_its_place(body: bytes, told: str):
    refused = refusal_of(body)

    assert str(refused) == told
    assert refused.cure


@pytest.mark.parametrize("count", [MAX_ITEMS_PER_REQUEST + 1, 10_000])
def test_too_many_items_are_refused(count: int):
    refused = refusal_of(body_of(*[GOOD] * count))

    assert refused.line == f"items: holds {count:,} items; send at most 1,000 items per request"


def test_as_many_items_as_may_be_are_taken():
    assert len(parse_publish(body_of(*[GOOD] * MAX_ITEMS_PER_REQUEST))) == MAX_ITEMS_PER_REQUEST


@pytest.mark.parametrize("line_break", [b"", b"\n"])
@pytest.mark.parametrize("depth", [2_000, 490_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_refused(opening: bytes, closing: bytes, depth: int, line_break: bytes):
    with pytest.raises(InvalidRequest, match=r"^body: the JSON is nested too deeply$"):
        parse_json_object(opening * depth + line_break + b"1" + closing * depth)


@pytest.mark.parametrize("depth", range(900, 1010, 3))
def test_nesting_at_the_limit_is_taken_or_refused_with_our_error(depth: int):
    text = b"[" * depth + b"\n" + b"]" * depth

    kept = refusal_or(lambda: parse_json_object(text))

    if isinstance(kept, InvalidRequest):
        assert str(kept) == "body: the JSON is nested too deeply"
    else:
        assert kept == b"[" * depth + b"]" * depth


def test_deep_nesting_in_a_member_that_nobody_knows_is_refused():
    refused = refusal_of(b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"items":[]}')

    assert str(refused) == "body: the JSON is nested too deeply"


# -- items


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (1, "items[1]: expected 'object', got 'int'"),
        (None, "items[1]: expected 'object', got 'null'"),
        ({"json-object": 1}, "items[1]: has no channel"),
        ({"channel": 5, "json-object": 1}, "items[1].channel: expected 'str | null', got 'int'"),
        ({"channel": "", "json-object": 1}, "items[1].channel: the channel name is empty"),
        ({"channel": "x" * 10_000, "json-object": 1}, "items[1].channel: the channel name is longer than 512 bytes"),
        ({"channel": "a\nb", "json-object": 1}, "items[1].channel: the channel name holds a control character"),
        ({"channel": "a\x00", "json-object": 1}, "items[1].channel: the channel name holds a control character"),
        ({"channel": "a"}, "items[1]: has no format"),
        ({"channel": "a", "carrier-pigeon": 1}, "items[1]: has no format"),
        ({"channel": "a", "http-stream": None}, "items[1]: has no format"),
        ({"channel": "a", "formats": {}}, "items[1].formats: has no format"),
        ({"channel": "a", "formats": {}, "json-object": 1}, "items[1].formats: has no format"),
        ({"channel": "a", "formats": {"http-stream": None}}, "items[1].formats: has no format"),
        ({"channel": "a", "formats": []}, "items[1].formats: expected 'object | null', got 'array'"),
        ({**GOOD, "id": True}, "items[1].id: expected 'int | float | str | null', got 'bool'"),
        ({**GOOD, "id": "x" * 513}, "items[1].id: is longer than 512 bytes"),
        ({**GOOD, "prev-id": "é" * 257}, "items[1].prev-id: is longer than 512 bytes"),
        ({**GOOD, "prev-id": {}}, "items[1].prev-id: expected 'int | float | str | null', got 'object'"),
        ({**GOOD, "no-seq": 1}, "items[1].no-seq: expected 'bool', got 'int'"),
        ({**GOOD, "meta": {"a": 1}}, "items[1].meta[...]: expected 'str', got 'int'"),
    ],
)
def test_a_wrong_item_is_refused_with_its_place(item: Any, told: str):
    refused = refusal_of(body_of(GOOD, item, GOOD))

    assert str(refused) == told
    assert isinstance(refused, InvalidItem)
    assert refused.cure


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("http-stream", 1, ": expected 'object | null', got 'int'"),
        ("http-stream", {}, ": needs 'content', 'content-bin' or 'action'"),
        ("http-stream", {"action": "send"}, ": needs 'content', 'content-bin' or 'action'"),
        ("http-stream", {"content": 1}, ".content: expected 'str | null', got 'int'"),
        ("http-stream", {"content-bin": "%%%"}, ".content-bin: is not Base64"),
        ("http-stream", {"content-bin": "AP8"}, ".content-bin: is not Base64"),
        ("http-stream", {"content-bin": "é"}, ".content-bin: is not Base64"),
        ("http-stream", {"action": "dance"}, ".action: invalid enum value 'dance'"),
        (
            "http-stream",
            {"content": "", "content-filters": "x"},
            ".content-filters: expected 'array | null', got 'str'",
        ),
        ("http-response", {}, ": needs 'body', 'body-bin' or 'body-patch'"),
        ("http-response", {"body-bin": "%"}, ".body-bin: is not Base64"),
        ("http-response", {"body-patch": {}}, ".body-patch: expected 'array | null', got 'object'"),
        ("http-response", {"body": "", "code": 1000}, ".code: must be 0 to 999, not '1000'"),
        ("http-response", {"body": "", "code": -1}, ".code: must be 0 to 999, not '-1'"),
        ("http-response", {"body": "", "code": "٣"}, ".code: must be 0 to 999, not '٣'"),
        ("http-response", {"body": "", "code": ""}, ".code: must be 0 to 999, not ''"),
        ("http-response", {"body": "", "code": True}, ".code: expected 'int | str', got 'bool'"),
        ("http-response", {"body": "", "reason": "a\r\nb"}, ".reason: holds a control character"),
        ("http-response", {"body": "", "headers": 5}, ".headers: expected 'object | array', got 'int'"),
        ("http-response", {"body": "", "headers": [["A"]]}, ".headers[0]: expected 'array' of length 2"),
        ("http-response", {"body": "", "headers": {"A": 1}}, ".headers[...]: expected 'str', got 'int'"),
        ("http-response", {"body": "", "headers": {"A b": ""}}, ".headers: 'A b' is no header name"),
        ("http-response", {"body": "", "headers": {"": ""}}, ".headers: '' is no header name"),
        ("http-response", {"body": "", "headers": {"A\n": ""}}, ".headers: 'A\\n' is no header name"),
        ("http-response", {"body": "", "headers": {"A": "x\r\nB: y"}}, ".headers.A: holds a control character"),
        ("http-response", {"action": "burn"}, ".action: invalid enum value 'burn'"),
        ("ws-message", {}, ": needs 'content', 'content-bin' or 'action'"),
        ("ws-message", {"type": "binary"}, ": needs 'content', 'content-bin' or 'action'"),
        ("ws-message", {"content": "", "type": "close"}, ".type: invalid enum value 'close'"),
        ("ws-message", {"action": "dance"}, ".action: invalid enum value 'dance'"),
        ("ws-message", {"type": "ping", "content": "p" * 126}, ": a ping or pong carries at most 125 bytes"),
        ("ws-message", {"type": "text", "content-bin": "/w=="}, ".content-bin: is sent as text but is not UTF-8"),
        ("ws-message", {"action": "close", "code": 1005}, ".code: 1005 can't be sent as a close code"),
        ("ws-message", {"action": "close", "code": 999}, ".code: 999 can't be sent as a close code"),
        ("ws-message", {"action": "close", "code": 5000}, ".code: 5000 can't be sent as a close code"),
        ("ws-message", {"action": "close", "reason": "é" * 62}, ".reason: is longer than 123 bytes"),
    ],
)
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_wrong_format_is_refused_with_its_place(name: str, value: Any, told: str, is_nested: bool):
    item = {"channel": "a", "formats": {name: value}} if is_nested else {"channel": "a", name: value}
    place = f"items[1].formats.{name}" if is_nested else f"items[1].{name}"

    refused = refusal_of(body_of(GOOD, item))

    assert str(refused) == place + told
    assert isinstance(refused, InvalidItem)


@pytest.mark.parametrize(
    ("member", "place"),
    [
        (b'"id":%b,"json-object":1', "items[0].id"),
        (b'"http-response":{"code":%b,"body":""}', "items[0].http-response.code"),
        (b'"ws-message":{"action":"close","code":%b}', "items[0].ws-message.code"),
    ],
)
@pytest.mark.parametrize("number", [b"1" * 5000, b"1e999", b"-" + b"9" * 100_000])
def test_a_number_of_thousands_of_digits_is_refused(member: bytes, place: str, number: bytes):
    refused = refusal_of(b'{"items":[{"channel":"a",' + member % number + b"}]}")

    assert refused.field == place
    assert len(refused.line) < 300


@pytest.mark.parametrize(
    "text",
    [
        *(b"NaN", b"Infinity", b"01", b"1.", b".5", b"1e", b"-", b"tru"),
        *(b"[1,]", b'{"a":1,}', b"{1:2}", b"'a'", b"/**/1"),
        *(b'"\x01"', b'"\n"', rb'"\x"', rb'"\u12"', rb'"\ud800"', rb'"\udc00\ud800"', rb'["\ud800"]'),
    ],
)
def test_json_that_others_could_not_read_is_refused_also_inside_json_objects(text: bytes):
    with pytest.raises(InvalidRequest, match=r"^body: "):
        parse_json_object(text)


@pytest.mark.parametrize("member", ["channel", "id", "ws-message", "http-stream"])
def test_half_a_character_is_refused_wherever_it_stands(member: str):
    value = '{"content":"x\\ud800y"}' if member in ("ws-message", "http-stream") else '"x\\ud800y"'

    refused = refusal_of(f'{{"items":[{{"json-object":1,"{member}":{value}}}]}}'.encode())

    assert refused.field == "body"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http-stream", {"action": "a\nb\x00\u2028"}),
        ("ws-message", {"content": "", "type": "t" * 100_000}),
        ("ws-message", {"action": "close", "code": int("9" * 4000)}),
        ("http-response", {"body": "", "code": "\n" * 1000}),
        ("http-response", {"body": "", "headers": {"A" * 100_000: "\n"}}),
        ("http-response", {"body": "", "headers": {"\n" * 1000: ""}}),
    ],
)
def test_what_was_sent_makes_no_refusal_long_or_more_than_a_line(name: str, value: Any):
    refused = refusal_of(body_of({"channel": "a", name: value}))

    assert refused.line.isprintable()
    assert len(refused.line) < 400


# -- properties


@given(body=st.binary())
@example(body=b'{"items":[{"channel":"a","formats":{"x":1}}]}')
def test_any_bytes_are_items_or_refused_with_our_error(body: bytes):
    items = refusal_or(lambda: parse_publish(body))

    if isinstance(items, InvalidRequest):
        assert items.line.isprintable()
    else:
        assert items


_NAMES = ["channel", "id", "prev-id", "formats", "json-object", "fpp", "http-stream", "http-response", "ws-message"]
_NAMES += ["meta", "no-seq", "content", "content-bin", "body", "body-bin", "body-patch", "action", "type", "code"]
_NAMES += ["reason", "headers", "content-filters", "http-request", "exports"]
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters())
_LEAVES |= st.sampled_from(["a", "close", "hint", "send", "text", "binary", "ping", "AP8=", "404"])
_NEARLY = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=5)
)


@given(item=st.dictionaries(st.sampled_from(_NAMES), _NEARLY), good=st.booleans())
def test_anything_like_an_item_is_one_or_refused_with_its_place(item: dict[str, Any], good: bool):
    body = json.dumps({"items": [GOOD, {**item, **(GOOD if good else {})}]}).encode()

    items = refusal_or(lambda: parse_publish(body))

    if isinstance(items, InvalidRequest):
        assert items.line.isprintable()
        assert items.field == "body" or (items.field or "").startswith("items[1]")
    else:
        assert len(items) == 2


@given(text=st.binary(max_size=20))
def test_what_is_kept_of_a_json_object_is_json_on_one_line(text: bytes):
    kept = refusal_or(lambda: parse_json_object(text))

    if isinstance(kept, bytes):
        assert b"\n" not in kept
        assert b"\r" not in kept
        json.loads(kept)


def test_a_thousand_items_of_unknown_formats_cost_no_more_than_the_body_is_long():
    padding = "x" * 900_000
    unknown = [{"channel": "a", "formats": {"carrier-pigeon": 1}}] * (MAX_ITEMS_PER_REQUEST - 1)
    body = body_of(*unknown, {"channel": "a", "json-object": padding})
    began = time.process_time()

    parse_publish(body)

    assert time.process_time() - began < 0.25  # reading the body once more per item took a second


@pytest.mark.parametrize("size", [-1, "-1", "x", ""])
def test_a_size_that_is_no_number_is_refused(size: object):
    assert refusal_of(body_of(GOOD | {"size": size})).field == "items[0].size"
