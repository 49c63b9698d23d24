"""The short form of `make conformance`: the cases of RFC 6455 that tell servers apart, on the edge's own class."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from websockets.frames import Close, Frame, Opcode

from fanoutcloud.edge.limits import EdgeLimits
from tests.conformance.echo import PATH, EchoApp
from tests.edge.worlds import until
from tests.flows.sockets import bare_socket, frames_of, upgrade
from tests.load.server import ROOT
from tests.servers.command import clean_environment, free_port, started
from tests.servers.in_process import serve_in_process

MAX_MESSAGE_BYTES = 70_000
BYE = Frame(Opcode.CLOSE, Close(1000, "bye").serialize())


@dataclass(frozen=True)
class Server:
    port: int
    app: EchoApp

    async def answers(self, *pieces: bytes) -> list[Frame]:
        """Return all frames that come back for what is sent piece by piece, until the server ends the connection."""
        async with bare_socket(self.port) as client:
            await client.send(upgrade(PATH))
            head = await client.read_until(b"\r\n\r\n")
            for piece in pieces:
                await client.send(piece)
            return frames_of(head + await client.read_to_end())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    app = EchoApp()
    async with serve_in_process(app, limits=EdgeLimits(max_message_bytes=MAX_MESSAGE_BYTES)) as port:
        yield Server(port, app)


def _sent(*frames: Frame) -> bytes:
    return b"".join(frame.serialize(mask=True) for frame in frames)


def _text(data: str | bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, fin=fin)


def _more(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.CONT, data, fin=fin)


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65_535, 65_536, MAX_MESSAGE_BYTES])
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
async def test_messages_of_every_form_of_length_come_back_as_they_were(
    server: Server, opcode: Opcode, size: int
) -> None:
    message = Frame(opcode, b"*" * size)

    assert await server.answers(_sent(message, BYE)) == [message, BYE]


async def test_fragments_make_one_message_and_pings_between_them_are_answered_in_place(server: Server) -> None:
    parts = [
        _text("gr", fin=False),
        Frame(Opcode.PING, b"1"),
        _more(b"", fin=False),
        _more("ün".encode()[:2], fin=False),
    ]

    answers = await server.answers(_sent(*parts), _sent(_more("ün".encode()[2:]), Frame(Opcode.PING, b"2"), BYE))

    assert answers == [Frame(Opcode.PONG, b"1"), _text("grün"), Frame(Opcode.PONG, b"2"), BYE]


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (Frame(Opcode.CLOSE, b""), Frame(Opcode.CLOSE, b"")),
        (Frame(Opcode.CLOSE, Close(3000, "ours").serialize()), Frame(Opcode.CLOSE, Close(3000, "ours").serialize())),
    ],
    ids=["empty", "private code"],
)
async def test_a_close_is_answered_with_the_same_and_nothing_behind_it_is_heard(
    server: Server, frame: Frame, answer: Frame
) -> None:
    assert await server.answers(_sent(_text("a", fin=False), frame, _more(b"b"), Frame(Opcode.PING, b""))) == [answer]


_VIOLATIONS: dict[str, tuple[bytes, int]] = {
    "reserved bit": (b"\xc1\x80" + bytes(4), 1002),
    "reserved opcode": (b"\x83\x80" + bytes(4), 1002),
    "not masked": (b"\x81\x01a", 1002),
    "ping in fragments": (b"\x09\x80" + bytes(4), 1002),
    "ping of 126 bytes": (b"\x89\xfe\x00\x7e" + bytes(130), 1002),
    "continues nothing": (_sent(_more(b"a")), 1002),
    "begins within a message": (_sent(_text("a", fin=False), _text("b")), 1002),
    "reserved close code": (_sent(Frame(Opcode.CLOSE, (1006).to_bytes(2, "big"))), 1002),
    "close of one byte": (_sent(Frame(Opcode.CLOSE, b"\x03")), 1002),
    "close reason not UTF-8": (_sent(Frame(Opcode.CLOSE, b"\x03\xe8\xff")), 1007),
    "text not UTF-8": (_sent(_text(b"\xed\xa0\x80")), 1007),
    "fragment not UTF-8": (_sent(_text(b"\xce\xba", fin=False), _more(b"\xf4\x90", fin=False)), 1007),
    "ends within a character": (_sent(_text(b"\xce", fin=False), _more(b"")), 1007),
    "too large": (_sent(_text("*" * (MAX_MESSAGE_BYTES + 1))), 1009),
    "too large in fragments": (_sent(_text("*" * 40_000, fin=False), _more(b"*" * 40_000)), 1009),
}


@pytest.mark.parametrize(("sent", "code"), list(_VIOLATIONS.values()), ids=list(_VIOLATIONS))
async def test_a_violation_is_closed_with_its_code_and_told_once(
    server: Server, sent: bytes, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    answers = await server.answers(_sent(_text("before")), sent, _sent(BYE))

    assert answers[0] == _text("before")
    assert [Close.parse(bytes(answer.data)).code for answer in answers[1:]] == [code]
    (owner,) = server.app.owners
    await until(lambda: owner.losses == 1)
    assert [told for told, _ in owner.violations] == [code]
    assert all(record.exc_info is None for record in caplog.records)


async def test_a_message_byte_by_byte_is_one_message(server: Server) -> None:
    pieces = [bytes([byte]) for byte in _sent(_text("Zoë"), BYE)]

    assert await server.answers(*pieces) == [_text("Zoë"), BYE]


async def test_the_program_that_the_suite_is_run_against_echoes() -> None:
    port = free_port()
    words = [sys.executable, "-m", "tests.conformance.echo", str(port)]
    with started(words, folder=ROOT, environment=clean_environment()) as program:
        await asyncio.to_thread(program.wait_for_line, "ready: ", timeout_s=30.0)
        async with bare_socket(port) as client:
            await client.send(upgrade(PATH))
            head = await client.read_until(b"\r\n\r\n")
            await client.send(_sent(_text("hello"), BYE))

            assert frames_of(head + await client.read_to_end()) == [_text("hello"), BYE]
    assert "Traceback" not in program.output
