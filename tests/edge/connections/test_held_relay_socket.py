"""WebSockets whose every frame is for an origin."""

import struct
from typing import Any

import pytest

from fanoutcloud.edge.connections.held_relay_socket import MAX_MESSAGE_BYTES, HeldRelaySocket
from fanoutcloud.edge.limits import EdgeLimits
from tests.fakes.transport import FakeTransport


class RecordingOwner:
    """Keeps what the client says."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def on_text(self, text: str) -> None:
        self.heard.append(("text", text))

    def on_bytes(self, data: bytes) -> None:
        self.heard.append(("bytes", data))

    def on_ping(self, content: bytes) -> None:
        self.heard.append(("ping", content))

    def on_pong(self, content: bytes) -> None:
        self.heard.append(("pong", content))

    def on_close(self, content: bytes) -> None:
        self.heard.append(("close", content))

    def on_overflow(self) -> None:
        self.heard.append(("overflow", None))

    def on_violation(self, code: int, reason: str) -> None:
        self.heard.append(("violation", code))

    def on_lost(self) -> None:
        self.heard.append(("lost", None))


def masked(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Return a frame as a client sends it, with a mask of zeros."""
    size = len(payload)
    head = bytes([(0x80 if fin else 0) | opcode])
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return head + length + b"\0\0\0\0" + payload


@pytest.fixture
async def link() -> tuple[HeldRelaySocket, RecordingOwner, FakeTransport]:
    transport, owner = FakeTransport(), RecordingOwner()
    return HeldRelaySocket(transport, owner, limits=EdgeLimits(), connections=set()), owner, transport


Link = tuple[HeldRelaySocket, RecordingOwner, FakeTransport]


async def test_everything_goes_to_the_owner_and_nothing_is_answered(link: Link):
    held, owner, transport = link
    frames = masked(1, "é".encode()) + masked(9, b"p") + masked(10, b"q") + masked(2, b"\xff") + masked(8, b"\x03\xe8x")

    for byte in frames:
        held.data_received(bytes([byte]))

    assert owner.heard == [
        ("text", "é"), ("ping", b"p"), ("pong", b"q"), ("bytes", b"\xff"), ("close", b"\x03\xe8x")
    ]  # fmt: skip
    assert transport.written == b""


async def test_fragments_are_one_message(link: Link):
    held, owner, _ = link

    held.data_received(masked(1, b"a", fin=False) + masked(9, b"") + masked(0, b"b"))

    assert owner.heard == [("ping", b""), ("text", "ab")]


async def test_nothing_is_heard_after_a_close(link: Link):
    held, owner, _ = link

    held.data_received(masked(8, b"") + masked(1, b"late"))
    held.data_received(masked(1, b"later"))

    assert owner.heard == [("close", b"")]


@pytest.mark.parametrize("content", [b"", b"\x03\xe8bye"])
async def test_the_owner_closes_in_its_own_words(link: Link, content: bytes):
    held, _, transport = link

    held.close_as(content)
    held.drop()

    assert transport.written == bytes([0x88, len(content)]) + content
    assert transport.closed_by == "close"


async def test_a_dropped_client_gets_no_word(link: Link):
    held, _, transport = link

    held.drop()

    assert (transport.written, transport.closed_by) == (b"", "close")


async def test_a_message_that_is_too_large_ends_the_connection(link: Link):
    held, owner, transport = link

    held.data_received(masked(2, b"x" * (MAX_MESSAGE_BYTES + 1)))

    assert owner.heard == [("violation", 1009)]
    assert transport.closed_by == "close"


async def test_after_the_clients_close_ours_ends_the_connection_at_once(link: Link):
    held, _, transport = link

    held.data_received(masked(8, b"\x03\xe8"))
    held.close(4001, "bye")

    assert transport.written == b"\x88\x05\x0f\xa1bye"
    assert transport.closed_by == "close"
