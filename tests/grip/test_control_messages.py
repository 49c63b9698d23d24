"""Control messages of WebSockets."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.control_messages import (
    Control,
    Detach,
    FlushDelayed,
    GripExtension,
    Message,
    SendDelayed,
    SetKeepAlive,
    SetMeta,
    Subscribe,
    Unsubscribe,
    find_extension,
    parse_control,
    split_message,
)


@pytest.mark.parametrize(
    ("value", "control"),
    [
        ({"type": "subscribe", "channel": "a"}, Subscribe("a")),
        ({"type": "subscribe", "channel": "a", "filters": ["x"], "more": 1}, Subscribe("a", ("x",))),
        ({"type": "unsubscribe", "channel": "a"}, Unsubscribe("a")),
        ({"type": "detach"}, Detach()),
        ({"type": "set-meta", "name": "user", "value": "alice"}, SetMeta("user", "alice")),
        ({"type": "set-meta", "name": "user"}, SetMeta("user", None)),
        ({"type": "keep-alive"}, SetKeepAlive(None)),
        (
            {"type": "keep-alive", "message-type": "ping", "content": "", "timeout": 30},
            SetKeepAlive(Message("ping", b""), 30),
        ),
        (
            {"type": "keep-alive", "content-bin": "AP8=", "message-type": "binary", "timeout": "0", "mode": "interval"},
            SetKeepAlive(Message("binary", b"\x00\xff"), 1, is_interval=True),
        ),
        ({"type": "send-delayed", "content": "x"}, SendDelayed(Message("text", b"x"), 1)),
        ({"type": "send-delayed", "content": "x", "timeout": 0}, SendDelayed(Message("text", b"x"), 0)),
        ({"type": "flush-delayed"}, FlushDelayed()),
    ],
)
def test_controls(value: dict[str, Any], control: Control):
    assert parse_control(json.dumps(value).encode()) == control


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "x",
        {"type": "future"},
        {"type": "session", "id": "x"},
        {"type": 7},
        {"type": "subscribe"},
        {"type": "subscribe", "channel": ""},
        {"type": "subscribe", "channel": 7},
        {"type": "subscribe", "channel": "a", "filters": "x"},
        {"type": "set-meta", "value": "x"},
        {"type": "set-meta", "name": "a", "value": 7},
        {"type": "keep-alive", "content": "x", "mode": "busy"},
        {"type": "keep-alive", "content": "x", "timeout": -1},
        {"type": "keep-alive", "content": "x", "timeout": True},
        {"type": "keep-alive", "content": "x", "message-type": "close"},
        {"type": "keep-alive", "content-bin": "%"},
        {"type": "send-delayed"},
    ],
)
def test_what_can_not_be_understood_is_passed_over(value: Any):
    assert parse_control(json.dumps(value).encode()) is None


@given(st.binary())
def test_what_is_no_object_says_nothing(text: bytes):
    assert parse_control(text) is None or isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    ("values", "extension"),
    [
        (["grip"], GripExtension(b"m:")),
        (['permessage-deflate, grip; message-prefix=""'], GripExtension(b"")),
        (["x", "grip; message-prefix=>"], GripExtension(b">")),
        (["grips"], None),
        ([], None),
    ],
)
def test_the_extension_is_found(values: list[str], extension: GripExtension | None):
    assert find_extension(values) == extension


def test_an_extension_with_an_open_quote_is_refused():
    with pytest.raises(BadInstruction):
        find_extension(['grip; message-prefix="'])


@pytest.mark.parametrize(
    ("content", "prefix", "is_text", "told"),
    [
        (b"m:hi", b"m:", True, b"hi"),
        (b"m:c:hi", b"m:", True, b"c:hi"),
        (b"hi", b"m:", True, None),
        (b"hi", b"", True, b"hi"),
        (b'c:{"type":"detach"}', b"", True, Detach()),
        (b'c:{"type":"detach"}', b"", False, b'c:{"type":"detach"}'),
        (b'c:{"type":"detach"}', b"m:", False, None),
        (b"c:nonsense", b"m:", True, None),
    ],
)
def test_what_a_message_of_the_origin_is(content: bytes, prefix: bytes, is_text: bool, told: object):
    assert split_message(content, GripExtension(prefix), is_text=is_text) == told
