"""Framing, judged by the parsers that others wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from fanoutcloud.edge.encoding.frames import LAST_CHUNK, close_frame, http_chunk, unframed, websocket_frame


def _parse(frames: bytes) -> list[Frame]:
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    client.receive_data(frames)
    assert client.parser_exc is None
    return [event for event in client.events_received() if isinstance(event, Frame)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
def test_a_frame_of_any_size_is_read_back(size: int) -> None:
    payload = b"x" * size

    assert _parse(websocket_frame(payload)) == [Frame(Opcode.TEXT, payload)]


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_frames_behind_each_other_are_read_back(payloads: list[bytes]) -> None:
    assert [frame.data for frame in _parse(b"".join(websocket_frame(payload) for payload in payloads))] == payloads


@given(st.sampled_from([1000, 3400, 4012, 4999]), st.text(max_size=200))
def test_a_close_frame_is_read_back_with_as_much_of_its_reason_as_fits(code: int, reason: str) -> None:
    [frame] = _parse(close_frame(code, reason))

    close = Close.parse(bytes(frame.data))
    assert close.code == code
    assert reason.startswith(close.reason)
    assert len(frame.data) <= 125
    assert close.reason == reason or len(close.reason.encode()) > 119


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_chunks_are_read_back(contents: list[bytes]) -> None:
    body, wire = b"", b"".join(map(http_chunk, contents)) + LAST_CHUNK
    while wire:
        size, _, wire = wire.partition(b"\r\n")
        length = int(size, 16)
        body, end, wire = body + wire[:length], wire[length : length + 2], wire[length + 2 :]
        assert end == b"\r\n"

    assert body == b"".join(contents)


def test_nothing_makes_no_chunk_since_an_empty_one_would_end_the_body() -> None:
    assert http_chunk(b"") == b""


def test_unframed_is_as_it_is() -> None:
    assert unframed(b"a") == b"a"
