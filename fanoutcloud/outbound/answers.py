"""Reads HTTP/1.1 answers from bytes. Pure: knows no socket.

llhttp reads strictly: bare LF, folded headers, two lengths, or a length beside chunks are refused there. What it lets
through and we can't pass on faithfully (transfer codings other than `chunked`, HTTP/2 version numbers) is refused here.
"""

from typing import Protocol

import httptools

from fanoutcloud.outbound.errors import BadAnswer, BrokenOff
from fanoutcloud.outbound.messages import Headers

MAX_HEAD_BYTES = 65_536
MAX_FIELDS = 256
#: Answers such as 100 and 103 before the one that counts.
MAX_INTERIM = 5
_TOO_LARGE = f"the answer has more than {MAX_HEAD_BYTES:,} bytes of headers"
_WITHOUT_BODY = frozenset({204, 304})


class AnswerReceiver(Protocol):
    """Whom the parser tells. Nothing is told after an error."""

    def on_head(self, status: int, reason: bytes, headers: Headers, length: int | None) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_end(self, trailers: Headers, *, is_reusable: bool) -> None:
        """The answer is complete; `is_reusable`: the connection can have another request."""


class AnswerParser:
    """Reads one answer. `upgrades` lets a 101 pass; bytes behind its head are in `left_over` then."""

    def __init__(self, receiver: AnswerReceiver, *, is_head: bool = False, upgrades: bool = False) -> None:
        self._receiver = receiver
        self._is_head = is_head
        self._upgrades = upgrades
        self._parser = httptools.HttpResponseParser(self)
        self._reason = b""
        self._fields: Headers = []
        self._field_bytes = 0  # of all heads and trailers together
        self._error: BadAnswer | None = None
        self._has_head = False
        self._is_interim = False
        self._interim_count = 0
        self._is_until_close = False
        self._silent_bytes = 0
        self.is_begun = False
        self.is_complete = False
        self.left_over = b""

    def feed(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            BadAnswer: it is no answer that is accepted; the parser is of no use any more.
        """
        if self.is_complete:
            self.left_over += data
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        self.is_begun = True
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.left_over = data[upgrade.args[0] :]
        except httptools.HttpParserError as problem:
            if self._error is None and self.is_complete:
                self.left_over = self.left_over or b"?"  # something that is no answer follows a whole one
                return
            raise self._error or BadAnswer(f"the answer is no HTTP/1.1: {_wording(problem)}") from None
        if self._silent_bytes > MAX_HEAD_BYTES and not self.is_complete:
            raise BadAnswer(_TOO_LARGE)

    def end(self) -> None:
        """Take the end of the connection.

        Raises:
            BrokenOff: the answer was not complete.
        """
        if self.is_complete:
            return
        if self._is_until_close:
            self._complete(is_reusable=False)
        elif self._has_head:
            raise BrokenOff("the connection ended in the middle of the answer's body")
        else:
            what = "in the middle of the answer's headers" if self.is_begun else "without an answer"
            raise BrokenOff(f"the connection ended {what}")

    def close(self) -> None:
        """Tell nobody anything more. `is_begun` and `left_over` stay.

        Receiver and parser hold each other until then, and would be garbage that only a collection finds.
        """
        self.is_complete = True
        del self._parser, self._receiver

    # -- called by httptools

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_complete:
            return
        if len(self._fields) >= MAX_FIELDS:
            self._refuse(f"the answer has more than {MAX_FIELDS} headers")
        self._field_bytes += len(name) + len(value) + 4
        if self._field_bytes > MAX_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        self._fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        status = self._parser.get_status_code()
        if self._parser.get_http_version() not in ("1.1", "1.0") or not 100 <= status <= 999:
            self._refuse("the answer is no HTTP/1.1: its status line is wrong")
        self._is_interim = 100 <= status < 200 and not (status == 101 and self._upgrades)
        headers, self._fields = self._fields, []
        reason, self._reason = self._reason, b""
        if self._is_interim:
            self._count_interim(status)
        else:
            self._take_head(status, reason, headers)

    def _count_interim(self, status: int) -> None:
        self._interim_count += 1
        if status == 101:
            self._refuse("the answer switches protocols, which nobody asked for")
        if self._interim_count > MAX_INTERIM:
            self._refuse(f"more than {MAX_INTERIM} interim answers (1xx)")

    def _take_head(self, status: int, reason: bytes, headers: Headers) -> None:
        codings = [value for name, value in headers if name.lower() == b"transfer-encoding"]
        lengths = [value for name, value in headers if name.lower() == b"content-length"]
        has_body = not (self._is_head or status in _WITHOUT_BODY or status == 101)
        if codings and [coding.strip().lower() for coding in codings] != [b"chunked"]:
            self._refuse("the answer has a transfer coding other than chunked", field="Transfer-Encoding")
        self._is_until_close = has_body and not codings and not lengths
        self._has_head = True
        self._silent_bytes = 0
        self._receiver.on_head(status, reason, headers, int(lengths[0]) if lengths else None)
        if self._is_head:
            self._complete(is_reusable=self._is_kept_alive(headers))

    def _is_kept_alive(self, headers: Headers) -> bool:
        """Tell it of an answer to HEAD, of which the parser thinks that a body follows."""
        options = b",".join(value for name, value in headers if name.lower() == b"connection").lower().split(b",")
        return self._parser.get_http_version() == "1.1" and b"close" not in [option.strip() for option in options]

    def on_body(self, data: bytes) -> None:
        if self.is_complete:
            self.left_over += data  # a body where none may be
            return
        self._silent_bytes = 0
        self._receiver.on_body(data)

    def on_chunk_complete(self) -> None:
        self._silent_bytes = 0

    def on_message_begin(self) -> None:
        if self.is_complete:
            self.left_over += b"?"

    def on_message_complete(self) -> None:
        if self._is_interim or self.is_complete:
            self._silent_bytes = 0
            return
        self._complete(is_reusable=self._parser.should_keep_alive())

    def _complete(self, *, is_reusable: bool) -> None:
        self.is_complete = True
        trailers, self._fields = self._fields, []
        self._receiver.on_end(trailers, is_reusable=is_reusable)

    def _refuse(self, message: str, *, field: str | None = None) -> None:
        self._error = BadAnswer(message, field=field)
        raise self._error


def _wording(problem: httptools.HttpParserError) -> str:
    return str(problem).strip() or type(problem).__name__
