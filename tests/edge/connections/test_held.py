"""Connections that our own server has handed over: frames in both directions, closing, flow control."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from fanoutcloud.edge.connections.held import HeldStream
from fanoutcloud.edge.connections.held_websocket import HeldWebSocket
from fanoutcloud.edge.encoding.frames import LAST_CHUNK, websocket_frame
from fanoutcloud.edge.limits import EdgeLimits
from tests.edge.worlds import PATIENCE_S, until
from tests.fakes.owner import RecordingOwner
from tests.fakes.transport import FakeTransport

LIMITS = EdgeLimits(outbox_bytes=1000, catch_up_bytes=100, max_message_bytes=500, stuck_s=0.01)


class Link:
    """A held connection of one kind between a fake socket and an owner that remembers."""

    def __init__(self, kind: type[HeldStream] | type[HeldWebSocket]) -> None:
        self.transport = FakeTransport()
        self.owner = RecordingOwner()
        self.connections: set[Any] = set()
        self.held = kind(self.transport, self.owner, limits=LIMITS, connections=self.connections)

    def receive(self, *frames: Frame) -> None:
        """Have the client send frames, masked as clients must."""
        for frame in frames:
            self.held.data_received(frame.serialize(mask=True))

    def frames(self) -> list[Frame]:
        """Return what a client reads."""
        client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
        client.receive_data(self.transport.written)
        assert client.parser_exc is None
        return [event for event in client.events_received() if isinstance(event, Frame)]

    def close_sent(self) -> Close:
        """Return the close frame that was sent last."""
        assert self.frames()[-1].opcode is Opcode.CLOSE
        return Close.parse(bytes(self.frames()[-1].data))


@pytest.fixture
async def socket() -> Link:
    return Link(HeldWebSocket)


@pytest.fixture
async def stream() -> Link:
    return Link(HeldStream)


@pytest.fixture(params=[HeldStream, HeldWebSocket])
async def link(request: pytest.FixtureRequest) -> Link:
    return Link(request.param)


def _text(data: bytes, **options: bool) -> Frame:
    return Frame(Opcode.TEXT, data, **options)


async def test_a_text_message_reaches_the_owner(socket: Link) -> None:
    socket.receive(_text("grüße".encode()))

    assert socket.owner.texts == ["grüße"]


async def test_a_message_that_comes_byte_by_byte_reaches_the_owner_once(socket: Link) -> None:
    for byte in _text(b"hello").serialize(mask=True):
        socket.held.data_received(bytes([byte]))

    assert socket.owner.texts == ["hello"]


async def test_fragments_are_put_together_around_a_ping(socket: Link) -> None:
    socket.receive(
        _text("ä".encode()[:1], fin=False),
        Frame(Opcode.PING, b"now"),
        Frame(Opcode.CONT, "ä".encode()[1:], fin=False),
        Frame(Opcode.CONT, b"!"),
    )

    assert socket.owner.texts == ["ä!"]
    assert socket.frames() == [Frame(Opcode.PONG, b"now")]


async def test_a_ping_between_fragments_is_answered_before_the_message(socket: Link) -> None:
    socket.owner.on_text = lambda text: socket.held.write(websocket_frame(text.encode()))  # type: ignore[method-assign]
    frames = [_text(b"a", fin=False), Frame(Opcode.PING, b"1"), Frame(Opcode.CONT, b"b"), Frame(Opcode.PING, b"2")]

    socket.held.data_received(b"".join(frame.serialize(mask=True) for frame in frames))

    assert [bytes(frame.data) for frame in socket.frames()] == [b"1", b"ab", b"2"]


async def test_a_close_between_fragments_is_answered_as_any(socket: Link) -> None:
    socket.receive(_text(b"a", fin=False), Frame(Opcode.CLOSE, Close(1000, "").serialize()), Frame(Opcode.CONT, b"b"))

    assert socket.close_sent().code == 1000
    assert socket.owner.violations == []


async def test_messages_sent_together_are_told_in_order(socket: Link) -> None:
    socket.held.data_received(b"".join(_text(b"%d" % n).serialize(mask=True) for n in range(5)))

    assert socket.owner.texts == ["0", "1", "2", "3", "4"]


async def test_a_ping_is_answered_and_a_pong_is_not(socket: Link) -> None:
    socket.receive(Frame(Opcode.PING, b"1"), Frame(Opcode.PONG, b"2"), Frame(Opcode.PING, b"3"))

    assert socket.frames() == [Frame(Opcode.PONG, b"1"), Frame(Opcode.PONG, b"3")]


async def test_a_close_of_the_client_is_answered_and_ends_the_connection(socket: Link) -> None:
    socket.receive(Frame(Opcode.CLOSE, Close(1000, "bye").serialize()))

    assert socket.close_sent().code == 1000
    assert socket.transport.closed_by == "close"


_VIOLATIONS: dict[str, tuple[bytes, int]] = {
    "noise": (b"\xff" * 100, 1002),
    "HTTP": (b"GET / HTTP/1.1\r\n\r\n", 1002),
    "not masked": (websocket_frame(b"not masked"), 1002),
    "continues nothing": (Frame(Opcode.CONT, b"of nothing").serialize(mask=True), 1002),
    "begins twice": (_text(b"a", fin=False).serialize(mask=True) + _text(b"b").serialize(mask=True), 1002),
    "ping of 126 bytes": (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),
    "ping in fragments": (b"\x09\x80\x00\x00\x00\x00", 1002),
    "bit of an extension": (b"\xc1\x80\x00\x00\x00\x00", 1002),
    "too large": (_text(b"x" * 501).serialize(mask=True), 1009),
    "says it is huge": (b"\x81\xff" + b"\x7f" * 8, 1009),
    "too large in fragments": (
        _text(b"x" * 300, fin=False).serialize(mask=True) + Frame(Opcode.CONT, b"x" * 300).serialize(mask=True),
        1009,
    ),
    "not UTF-8": (_text(b"\xff\xfe").serialize(mask=True), 1007),
    "not UTF-8 in the first fragment": (_text(b"ok \xff", fin=False).serialize(mask=True), 1007),
    "ends within a character": (
        _text(b"\xc3", fin=False).serialize(mask=True) + Frame(Opcode.CONT, b"").serialize(mask=True),
        1007,
    ),
    "reason not UTF-8": (b"\x88\x83\x00\x00\x00\x00\x03\xe8\xff", 1007),
    "close of one byte": (b"\x88\x81\x00\x00\x00\x00\x01", 1002),
}


@pytest.mark.parametrize(("garbage", "code"), list(_VIOLATIONS.values()), ids=list(_VIOLATIONS))
async def test_violations_are_closed_with_their_code(socket: Link, garbage: bytes, code: int) -> None:
    socket.held.data_received(garbage)

    assert socket.close_sent().code == code
    assert socket.owner.texts == []
    assert socket.owner.violations == [code]


async def test_binary_messages_reach_the_owner_as_they_are(socket: Link) -> None:
    socket.receive(Frame(Opcode.BINARY, b"\xff"))
    socket.receive(Frame(Opcode.BINARY, b"\xfe", fin=False), Frame(Opcode.CONT, b"\xfd"))

    assert socket.owner.received == [b"\xff", b"\xfe\xfd"]
    assert socket.owner.violations == []


async def test_a_clients_close_is_no_violation(socket: Link) -> None:
    socket.receive(Frame(Opcode.CLOSE, Close(1000, "").serialize()))
    socket.held.data_received(b"more")

    assert socket.owner.violations == []


async def test_nothing_is_taken_behind_a_violation(socket: Link) -> None:
    socket.receive(_text(b"\xff"), _text(b"too late"))

    assert socket.owner.texts == []
    assert [frame.opcode for frame in socket.frames()] == [Opcode.CLOSE]


async def test_our_close_waits_for_the_clients_and_is_sent_once(socket: Link) -> None:
    socket.held.close(4012, "draining")
    socket.held.close(4508, "slow")
    assert socket.transport.closed_by is None

    socket.receive(Frame(Opcode.CLOSE, Close(4012, "").serialize()))

    assert socket.transport.closed_by == "close"
    assert [frame.opcode for frame in socket.frames()] == [Opcode.CLOSE]
    assert socket.close_sent() == Close(4012, "draining")


async def test_a_stream_ends_with_the_last_chunk(stream: Link) -> None:
    stream.held.close(1000, "")

    assert stream.transport.written == LAST_CHUNK
    assert stream.transport.closed_by == "close"


async def test_what_a_client_sends_behind_its_request_is_passed_over(stream: Link) -> None:
    stream.held.data_received(b"GET /more HTTP/1.1\r\n\r\n" * 100)

    assert stream.transport.written == b""
    assert stream.owner.texts == []


async def _is_given_up_after_a_moment(link: Link) -> bool:
    """Wait until the connection is given up; return whether its peer had time to take the rest."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: link.transport.closed_by == "abort")
    return loop.time() - began > LIMITS.stuck_s / 2


async def test_a_peer_that_takes_nothing_is_given_up_after_the_close(link: Link) -> None:
    link.held.write(b"x" * 50)
    link.held.close(4508, "slow")

    assert await _is_given_up_after_a_moment(link)


@pytest.mark.parametrize("frame", [Frame(Opcode.CLOSE, b""), Frame(Opcode.CONT, b"of nothing")])
async def test_a_peer_that_takes_nothing_is_given_up_after_its_own_end(socket: Link, frame: Frame) -> None:
    socket.held.write(b"x" * 50)
    socket.receive(frame)

    assert await _is_given_up_after_a_moment(socket)


async def test_more_unsent_than_the_outbox_holds_is_told_once(link: Link) -> None:
    link.held.write(b"x" * 1000)
    assert link.owner.overflows == 0

    link.held.write(b"x")
    link.held.write(b"x")

    assert link.owner.overflows == 1
    assert link.held.unsent_bytes() == 1002


async def test_catching_up_waits_until_little_is_unsent(link: Link) -> None:
    link.held.write(b"x" * 900)
    drained = asyncio.create_task(link.held.drained())
    await asyncio.sleep(0)
    assert not drained.done()

    link.transport.send_out()
    await drained
    link.held.write(b"x" * 1000)

    assert link.owner.overflows == 0  # the outbox is as large as before
    link.held.write(b"x")
    assert link.owner.overflows == 1


async def test_little_unsent_is_not_waited_for(link: Link) -> None:
    link.held.write(b"x" * 100)
    drained = asyncio.create_task(link.held.drained())
    await asyncio.sleep(0)

    assert drained.done()
    assert link.held.unsent_bytes() == 100


@pytest.mark.parametrize("end", [lambda link: link.transport.lose(), lambda link: link.held.close(1000, "")])
async def test_catching_up_ends_with_the_connection(link: Link, end: Callable[[Link], None]) -> None:
    link.held.write(b"x" * 900)
    drained = asyncio.create_task(link.held.drained())
    await asyncio.sleep(0)
    assert not drained.done()

    end(link)
    if link.transport.closed_by != "lost":
        link.transport.lose()
    await asyncio.wait_for(drained, PATIENCE_S)

    assert link.owner.losses == 1


async def test_a_lost_connection_is_told_and_forgotten(link: Link) -> None:
    assert link.connections == {link.held}

    link.transport.lose()

    assert link.owner.losses == 1
    assert link.connections == set()


async def test_the_server_can_end_it(link: Link) -> None:
    link.held.shutdown()

    assert link.transport.closed_by == "close"


async def test_an_end_of_input_in_the_middle_of_a_frame_is_taken(socket: Link) -> None:
    socket.held.data_received(_text(b"hello").serialize(mask=True)[:4])

    socket.held.eof_received()
    socket.transport.lose()

    assert socket.owner.losses == 1
