"""A connection whose requests come whole, one after the other, and are answered by a plain coroutine: publishes.

A publisher sends small requests on a connection that it keeps, and waits for Redis each time. So neither uvicorn's
request cycle nor an ASGI call is made for them, the answer leaves in one write, and a head that comes again byte for
byte is not read again. Whatever else comes begins anew as HTTP, and stays there. Source: docs/topics/fan-out.md.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from fanoutcloud.edge.connections.held import ServerConnections, let_go
from fanoutcloud.edge.connections.request_head import read_post_head
from fanoutcloud.edge.connections.sinks import Scope

logger = logging.getLogger(__name__)

#: Requests with larger bodies are read by the server that knows all of HTTP.
MAX_WHOLE_BODY_BYTES = 65_536
_HEAD_END = b"\r\n\r\n"
_CLOSE = (b"connection", b"close")
_FAILED_BODY = b"Internal Server Error"

#: Status, headers and body.
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
#: Answers the request whose head it was made for, given the body.
Answerer = Callable[[bytes], Awaitable[Answer]]
#: From the scope of a POST to what answers it; None: it is for ASGI. What it returns holds as long as the process does.
FindAnswerer = Callable[[Scope], Answerer | None]

_FAILED: Answer = (
    500,
    [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(_FAILED_BODY)), _CLOSE],
    _FAILED_BODY,
)


class _Rendering:
    """Bytes of answers; those of the newest are kept, since nearly all requests of a second are answered the same."""

    def __init__(self) -> None:
        self._answer: Answer = _FAILED
        self._defaults: list[tuple[bytes, bytes]] | None = None
        self._bytes = b""

    def render(self, answer: Answer, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """Return the answer with the server's own headers. Looks whether all is the same objects as last time."""
        status, headers, body = answer
        last_status, last_headers, last_body = self._answer
        is_same = headers is last_headers and body is last_body and status == last_status
        if not is_same or defaults is not self._defaults:
            lines = [b"%b: %b\r\n" % header for header in (*defaults, *headers)]
            self._bytes = b"%b%b\r\n%b" % (STATUS_LINE[status], b"".join(lines), body)
            self._answer, self._defaults = answer, defaults
        return self._bytes


_rendering = _Rendering()


class WholeRequests(asyncio.Protocol):
    """Takes a transport over; `begin_http` takes it from here with what has come of the next request."""

    __slots__ = (
        "_answerer", "_begin_http", "_coming", "_connections", "_find", "_head", "_is_busy", "_is_full", "_is_last",
        "_is_write_paused", "_keep_alive_s", "_length", "_loop", "_since", "_state", "_timer", "transport",
    )  # fmt: skip

    def __init__(
        self,
        transport: asyncio.Transport,
        server_state: ServerState,
        *,
        find: FindAnswerer,
        begin_http: Callable[[asyncio.Transport, bytes], None],
        is_full: Callable[[], bool],
        keep_alive_s: float,
    ) -> None:
        self.transport = transport
        self._loop = asyncio.get_running_loop()
        self._state = server_state
        self._find = find
        self._begin_http = begin_http
        self._is_full = is_full
        self._keep_alive_s = keep_alive_s
        #: The head that came last, and what it asks for: how long the body is and who answers.
        self._head = b""
        self._length = 0
        self._answerer: Answerer
        #: What has come of the next requests.
        self._coming = b""
        self._is_busy = False
        self._is_last = False
        self._is_write_paused = False
        self._since = self._loop.time()
        self._timer = self._loop.call_later(keep_alive_s, self._on_timer)
        self._connections = cast(ServerConnections, server_state.connections)
        self._connections.add(self)
        transport.set_protocol(self)

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._is_busy or self._is_write_paused:
            self._coming += data
            self.transport.pause_reading()
            return
        if self._coming:
            data, self._coming = self._coming + data, b""
        else:
            self._since = self._loop.time()
        self._take(data)

    def pause_writing(self) -> None:
        self._is_write_paused = True

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        self._connections.discard(self)

    def shutdown(self) -> None:
        """Be ended by the server, which goes down now: after the answer that is under way."""
        if self._is_busy:
            self._is_last = True
        else:
            self.transport.close()

    # -- other processes

    @property
    def is_at_rest(self) -> bool:
        """Whether the connection is between two requests, and the client has taken its answers."""
        is_under_way = self._is_busy or self._coming or self._is_write_paused
        return not (is_under_way or self.transport.is_closing())

    def let_go(self) -> None:
        """Forget the connection, which another process has got."""
        self._leave()
        let_go(self.transport)

    # -- requests

    def _take(self, data: bytes) -> None:
        """Begin to answer the next request if it is here, wait for the rest of its body, or leave it to HTTP."""
        if not (self._head and data.startswith(self._head)) and not self._read_head(data):
            self._leave()
            self._begin_http(self.transport, data)
            return
        begin = len(self._head)
        end = begin + self._length
        if len(data) < end:
            self._coming = data
            return
        self._coming = data[end:]
        self._is_busy = True
        task = self._loop.create_task(self._answer(data[begin:end]))
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _read_head(self, data: bytes) -> bool:
        """Know the head that `data` begins with; False: there is none, or none that is answered here."""
        end = data.find(_HEAD_END)
        if end < 0 or self._is_full():
            return False
        head = data[: end + len(_HEAD_END)]
        read = read_post_head(head)
        if read is None or read[1] > MAX_WHOLE_BODY_BYTES:
            return False
        scope = read[0].scope("http", "POST")
        answerer = None if scope is None else self._find(scope)
        if answerer is None:
            return False
        self._head, self._length, self._answerer = head, read[1], answerer
        return True

    async def _answer(self, body: bytes) -> None:
        try:
            answer = await self._answerer(body)
        except Exception:  # as any server does: the others' requests go on
            logger.exception("request_failed")
            answer = _FAILED
        self._is_busy = False
        self._state.total_requests += 1
        self._since = self._loop.time()
        if not self.transport.is_closing():
            self._write(answer)
            self._go_on()

    def _write(self, answer: Answer) -> None:
        status, headers, body = answer
        is_told = _CLOSE in headers
        if self._is_last and not is_told:
            answer = status, [*headers, _CLOSE], body
        self.transport.write(_rendering.render(answer, self._state.default_headers))
        if self._is_last or is_told:
            self.transport.close()

    def _go_on(self) -> None:
        """Take what has come meanwhile, unless the client does not take its answers."""
        if self._is_busy or self._is_write_paused or self.transport.is_closing():
            return
        self.transport.resume_reading()
        if self._coming:
            data, self._coming = self._coming, b""
            self._take(data)

    def _on_timer(self) -> None:
        left_s = self._keep_alive_s if self._is_busy else self._since + self._keep_alive_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._on_timer)
        elif self._coming and not self._is_write_paused:
            self._leave()
            self._begin_http(self.transport, self._coming)  # which knows how long to wait for a body
        else:
            self.transport.close()

    def _leave(self) -> None:
        self._timer.cancel()
        self._connections.discard(self)
