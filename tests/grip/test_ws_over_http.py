"""The codec of WebSocket-over-HTTP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.ws_over_http import BadEvents, Event, close_event, decode_events, encode_events, read_close


@pytest.mark.parametrize(
    ("events", "body"),
    [
        ([], b""),
        ([Event("OPEN")], b"OPEN\r\n"),
        ([Event("TEXT", b"hi"), Event("BINARY", b"\x00\xff")], b"TEXT 2\r\nhi\r\nBINARY 2\r\n\x00\xff\r\n"),
        ([Event("TEXT")], b"TEXT 0\r\n\r\n"),
        ([Event("PING"), Event("PONG", b"x")], b"PING\r\nPONG 1\r\nx\r\n"),
        ([Event("TEXT", b"x" * 43)], b"TEXT 2B\r\n" + b"x" * 43 + b"\r\n"),
        ([close_event(1000, "bye")], b"CLOSE 5\r\n\x03\xe8bye\r\n"),
        ([close_event(None)], b"CLOSE\r\n"),
        ([Event("DISCONNECT")], b"DISCONNECT\r\n"),
    ],
)
def test_bytes(events: list[Event], body: bytes):
    assert encode_events(events) == body
    assert decode_events(body) == events


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"OPEN 0\r\n\r\n", [Event("OPEN")]),
        (b"OPEN 2\r\nhi\r\n", [Event("OPEN")]),
        (b"TEXT\r\n", [Event("TEXT")]),
        (b"TEXT 2b\r\n" + b"x" * 43 + b"\r\n", [Event("TEXT", b"x" * 43)]),
        (b"FUTURE 2\r\nhi\r\nFUTURE\r\nPONG\r\n", [Event("PONG")]),
        (b"TEXT 4\r\n\r\n\r\n\r\n", [Event("TEXT", b"\r\n\r\n")]),
    ],
)
def test_other_spellings_are_read(body: bytes, events: list[Event]):
    assert decode_events(body) == events


@pytest.mark.parametrize(
    "body",
    [
        b"OPEN",
        b"OPEN\n",
        b"\r\n",
        b"TEXT x\r\n",
        b"TEXT 5\r\nhi\r\n",
        b"TEXT 2\r\nhi",
        b"TEXT 2\r\nhi!\r\n",
        b"TEXT -1\r\n",
    ],
)
def test_what_is_no_sequence_of_events_is_refused(body: bytes):
    with pytest.raises(BadEvents, match=r"byte \d+"):
        decode_events(body)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", (None, "")), (b"\x03", (None, "")), (b"\x03\xe8", (1000, "")), (b"\x0f\xa1x", (4001, "x"))],
)
def test_closes(content: bytes, told: tuple[int | None, str]):
    assert read_close(content) == told


def test_a_reason_must_be_text():
    with pytest.raises(BadEvents):
        read_close(b"\x03\xe8\xff")


events = st.builds(Event, st.sampled_from(["TEXT", "BINARY", "PING", "PONG", "CLOSE"]), st.binary(max_size=300))


@given(st.lists(events | st.sampled_from([Event("OPEN"), Event("DISCONNECT")])))
def test_what_is_encoded_is_read_again(sequence: list[Event]):
    assert decode_events(encode_events(sequence)) == sequence


@given(st.binary())
def test_nothing_but_our_error_is_raised(body: bytes):
    try:
        decode_events(body)
    except BadEvents as error:
        assert error.cure  # noqa: PT017 - whatever it raises
