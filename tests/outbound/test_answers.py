"""Answers as the parser meets them: framing that could be read in two ways, and heads without end."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.outbound.answers import MAX_FIELDS, MAX_HEAD_BYTES, AnswerParser
from fanoutcloud.outbound.errors import BadAnswer, BrokenOff, ExchangeFailed
from fanoutcloud.outbound.messages import Headers

OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Reader:
    """Writes down what the parser tells."""

    status: int = 0
    reason: bytes = b""
    headers: Headers = field(default_factory=list)
    length: int | None = None
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    is_reusable: bool | None = None

    def on_head(self, status: int, reason: bytes, headers: Headers, length: int | None) -> None:
        self.status, self.reason, self.headers, self.length = status, reason, headers, length

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_end(self, trailers: Headers, *, is_reusable: bool) -> None:
        assert self.is_reusable is None, "an answer ends once"
        self.trailers, self.is_reusable = trailers, is_reusable


def parse(*pieces: bytes, is_head: bool = False, ends: bool = False) -> Reader:
    reader = Reader()
    parser = AnswerParser(reader, is_head=is_head)
    for piece in pieces:
        parser.feed(piece)
    if ends:
        parser.end()
    return reader


AMBIGUOUS = {
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": OK + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": OK + b"Content-Length: 3, 3\r\n\r\nabc",
    "length and chunks": OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "a signed length": OK + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": OK + b"Content-Length: -3\r\n\r\nabc",
    "an empty length": OK + b"Content-Length:\r\n\r\nabc",
    "a hexadecimal length": OK + b"Content-Length: 0x3\r\n\r\nabc",
    "a length beyond all": OK + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "a coding that is not chunked": OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "chunked and more": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked before another": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "nearly chunked": OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a tab before": OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "bare LF in the head": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "bare LF behind a header": OK + b"A: b\nContent-Length: 0\r\n\r\n",
    "bare CR in a value": OK + b"A: b\rContent-Length: 3\r\n\r\n",
    "NUL in a value": OK + b"A: b\x00\r\n\r\n",
    "a folded header": OK + b"A: b\r\n c\r\n\r\n",
    "a folded first line": OK + b" A: b\r\n\r\n",
    "a blank before the colon": OK + b"Content-Length : 3\r\n\r\nabc",
    "a line without a colon": OK + b"Hello\r\n\r\n",
    "an empty name": OK + b": x\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "a page without a head": b"<html></html>\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/0.9": b"HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/1.2": b"HTTP/1.2 200 OK\r\n\r\n",
    "status below 100": b"HTTP/1.1 099 Low\r\n\r\n",
    "status of four digits": b"HTTP/1.1 2000 High\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a protocol that nobody asked for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a chunk size that is none": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a chunk size with a blank": OK + b"Transfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
    "a chunk size with 0x": OK + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "a chunk size beyond all": OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\nabc",
    "bare LF behind a chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "a chunk longer than it says": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 6,
    "too many headers": OK + b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n",
    "a head too large": OK + b"A: " + b"b" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "a head too large, unfinished": OK + b"A: " + b"b" * MAX_HEAD_BYTES,
    "a reason too large": b"HTTP/1.1 200 " + b"b" * MAX_HEAD_BYTES,
    "too many trailers": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * (MAX_FIELDS + 1) + b"\r\n",
    "a trailer too large": OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"b" * (2 * MAX_HEAD_BYTES),
    "a chunk extension too large": OK + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"b" * (2 * MAX_HEAD_BYTES),
}


@pytest.mark.parametrize("answer", AMBIGUOUS.values(), ids=AMBIGUOUS)
@pytest.mark.parametrize("piece_bytes", [65_536, 1000])
def test_what_could_be_read_in_two_ways_or_has_no_end_is_refused(answer: bytes, piece_bytes: int) -> None:
    pieces = [answer[at : at + piece_bytes] for at in range(0, len(answer), piece_bytes)]

    with pytest.raises(BadAnswer):
        parse(*pieces)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (OK + b"Content-Length: 0\r\n\r\n", 200, b""),
        (b"\r\n" + OK + b"Content-Length: 1\r\n\r\na", 200, b"a"),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\na", 200, b"a"),
        (b"HTTP/1.1 999 \xff\r\nContent-Length: 1\r\n\r\na", 999, b"a"),
        (OK + b"content-length:\t1 \t\r\n\r\na", 200, b"a"),
        (OK + b"TRANSFER-ENCODING: Chunked\r\n\r\n001\r\na\r\n0\r\n\r\n", 200, b"a"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, b""),
        (OK + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na", 200, b"a"),
    ],
)
def test_what_is_unusual_and_clear_is_read(answer: bytes, status: int, body: bytes) -> None:
    whole = parse(answer)
    by_byte = parse(*(answer[at : at + 1] for at in range(len(answer))))

    assert whole == by_byte
    assert (whole.status, whole.body, whole.is_reusable) == (status, body, True)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1",
        OK,
        OK + b"Content-Length: 3\r\n\r\n",
        OK + b"Content-Length: 3\r\n\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_end_in_the_middle_is_noticed(answer: bytes) -> None:
    with pytest.raises(BrokenOff):
        parse(answer, ends=True)


def test_a_body_without_any_length_ends_with_the_connection() -> None:
    reader = parse(OK + b"\r\nabc", b"def", ends=True)

    assert (reader.body, reader.length, reader.is_reusable) == (b"abcdef", None, False)


def test_an_answer_to_head_has_the_length_that_a_get_would_have() -> None:
    assert parse(OK + b"Content-Length: 7\r\n\r\n", is_head=True).is_reusable is True
    assert parse(OK + b"Transfer-Encoding: chunked\r\n\r\n", is_head=True).is_reusable is True
    assert parse(OK + b"Connection: X, Close\r\n\r\n", is_head=True).is_reusable is False


@given(st.lists(st.sampled_from([*AMBIGUOUS.values(), OK, b"\r\n", b"0\r\n", b"\xff", b"A: b\r\n"])), st.binary())
def test_nothing_that_comes_raises_anything_else(pieces: list[bytes], garbage: bytes) -> None:
    for answer in ([garbage, *pieces], [*pieces, garbage]):
        try:
            reader = parse(*answer, ends=True)
        except ExchangeFailed:
            continue
        assert 200 <= reader.status <= 999
