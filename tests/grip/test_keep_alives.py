"""`Grip-Keep-Alive` and its three formats."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.keep_alives import KeepAlive, parse_cstring, parse_keep_alive


@pytest.mark.parametrize(
    ("text", "keep_alive"),
    [
        ("x", KeepAlive(b"x", 55)),
        ("a,b", KeepAlive(b"a,b", 55)),
        (r"raw \n", KeepAlive(rb"raw \n", 55)),
        (r"\n; format=cstring", KeepAlive(b"\n")),
        (r"event: keep-alive\ndata:\n\n; format=cstring; timeout=20", KeepAlive(b"event: keep-alive\ndata:\n\n", 20)),
        ("AAEC; format=base64; timeout=5; mode=interval", KeepAlive(b"\0\1\2", 5, is_interval=True)),
        ("x; timeout=0", KeepAlive(b"x", 1)),
        ('x; timeout="7"; mode=idle', KeepAlive(b"x", 7)),
    ],
)
def test_what_is_asked_for(text: str, keep_alive: KeepAlive):
    assert parse_keep_alive(text) == keep_alive


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no content to send"),
        ("; format=raw", "has no content to send"),
        ("x; format=hex", "format is 'hex'"),
        ("x; mode=busy", "mode is 'busy'"),
        ("x; timeout=-1", "timeout is '-1'"),
        ("x; timeout=1.5", "timeout is '1.5'"),
        ("%; format=base64", "the content is not Base64"),
        ("x\\; format=cstring", "'\\\\\\\\' is no escape"),
        (r"\x4; format=cstring", r"'\\\\x4' is no escape"),
        (r"\xzz; format=cstring", r"'\\\\xzz' is no escape"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, told: str):
    with pytest.raises(BadInstruction, match=f"^Grip-Keep-Alive: {told}$") as error:
        parse_keep_alive(text)

    assert error.value.cure


@pytest.mark.parametrize(
    ("text", "content"),
    [(r"\\n", rb"\n"), (r"\r\n", b"\r\n"), (r"\x41\x0a", b"A\n"), (r"a\tb\0c", b"abc"), ("é", "é".encode())],
)
def test_escapes(text: str, content: bytes):
    assert parse_cstring(text) == content


@given(st.binary(min_size=1))
def test_every_content_can_be_said_in_two_ways(content: bytes):
    escaped = "".join(f"\\x{byte:02x}" for byte in content)

    assert parse_cstring(escaped) == content
    assert parse_keep_alive(f"{base64.b64encode(content).decode()}; format=base64").content == content
