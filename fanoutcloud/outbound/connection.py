"""One connection to a server, and one exchange at a time on it: request out, answer in, both with back-pressure."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterable
from typing import Any, Protocol

from fanoutcloud.outbound.answers import AnswerParser
from fanoutcloud.outbound.errors import BrokenOff, ExchangeFailed, NoAnswer
from fanoutcloud.outbound.messages import Headers, Request, Response, Trace

#: Of an answer's body, kept before its reader takes it; then the server has to wait.
READ_AHEAD_BYTES = 65_536


class OnFree(Protocol):
    """Hears of the end of an exchange, and whether another one can follow on the connection; or that the connection
    is somebody else's from now on (`has_left`).
    """

    def __call__(self, connection: "HttpConnection", /, *, is_reusable: bool, has_left: bool = False) -> None: ...


class HttpConnection(asyncio.Protocol):
    """The connection; what comes goes to the exchange that is under way."""

    def __init__(self, on_free: OnFree) -> None:
        self._on_free = on_free
        self._transport: asyncio.Transport | None = None
        self._exchange: HttpExchange | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_paused = False
        self.address = ""  # of the server, where it is known
        self.opened_at = 0.0
        self.idle_since = 0.0
        self.is_lost = False

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None, "the connection is made"
        return self._transport

    @property
    def is_usable(self) -> bool:
        return not self.is_lost and not self.transport.is_closing()

    def begin(self, exchange: "HttpExchange") -> None:
        """Have what comes read by this exchange."""
        self._exchange = exchange

    def finish(self, *, is_reusable: bool) -> None:
        """End the exchange; the connection is free or closed then."""
        if self._exchange is None:
            return
        self._exchange = None
        if is_reusable and self.is_usable:
            self.transport.resume_reading()
            self._on_free(self, is_reusable=True)
        else:
            self.transport.abort()
            self._on_free(self, is_reusable=False)

    def leave(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Give the connection to another protocol, and count it out; reading goes on."""
        self._exchange = None
        self._on_free(self, is_reusable=False, has_left=True)
        self.transport.set_protocol(protocol)
        self.transport.resume_reading()
        return self.transport

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    async def drained(self) -> None:
        """Wait until the server takes more. Raises BrokenOff if it never will."""
        if self.is_lost:
            raise BrokenOff("the connection ended before the request was sent")
        if self._is_paused:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # it is one of TCP or TLS
        self._transport = transport
        self.opened_at = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            self.transport.abort()  # a server speaks when it is asked
        else:
            self._exchange.on_data(data)

    def eof_received(self) -> bool:
        if self._exchange is not None:
            self._exchange.on_end_of_data()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if self._exchange is not None:
            self._exchange.on_lost()
            self.finish(is_reusable=False)
        self._wake_writer()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._room is not None and not self._room.done():
            if self.is_lost:
                self._room.set_exception(BrokenOff("the connection ended before the request was sent"))
            else:
                self._room.set_result(None)


class HttpExchange:
    """One request and its answer on a connection. Is the answer's body, and what the parser tells."""

    def __init__(
        self,
        connection: HttpConnection,
        request: Request,
        *,
        idle_s: float,
        upgrades: bool = False,
        trace: Trace | None = None,
    ) -> None:
        self._connection = connection
        self._trace = trace or Trace()
        self._began_at = 0.0
        self._request = request
        self._idle_s = idle_s
        self._parser = AnswerParser(self, is_head=request.method == b"HEAD", upgrades=upgrades)
        self._head: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._news: asyncio.Future[None] | None = None
        self._response: Response | None = None  # from when its head has come until it is handed over
        self._trailers: Headers = []  # the response's
        self._is_switching = False
        self._failure: ExchangeFailed | None = None
        self._is_complete = False
        self._is_reusable = False
        self._is_reading_paused = False
        self._upload: asyncio.Task[None] | None = None

    @property
    def has_answer_begun(self) -> bool:
        return self._parser.is_begun

    @property
    def left_over(self) -> bytes:
        """What came behind the head of a 101."""
        return self._parser.left_over

    async def run(self, head: bytes, *, head_s: float | None) -> Response:
        """Send the request, and return the answer when its head has come; its body may still be on its way.

        Cancelling ends the connection.

        Raises:
            ExchangeFailed: no answer came. What a body's iterator raises is raised here, too.
        """
        self._connection.begin(self)
        self._began_at = asyncio.get_running_loop().time()
        try:
            if isinstance(self._request.body, bytes):
                self._connection.write(head + self._request.body)
            else:
                await self._send_body(head, self._request.body)
            async with asyncio.timeout(head_s):
                await self._head
            return self._hand_over()
        except TimeoutError:
            self.close()
            raise NoAnswer(f"no answer within {head_s or 0:g} s") from None
        except BaseException:
            self.close()
            raise

    def _hand_over(self) -> Response:
        """Return the response, and keep it no longer: it has this exchange as its body, and two that keep each other
        are garbage that only a collection finds.
        """
        assert self._response is not None, "its head has come"
        response, self._response = self._response, None
        return response

    async def _send_body(self, head: bytes, body: AsyncIterable[bytes]) -> None:
        """Return when the body was sent, or an answer came before: then the rest goes on being sent beside it."""
        self._connection.write(head)
        upload = self._upload = asyncio.get_running_loop().create_task(self._pump(body))  # ended by `_release`
        upload.add_done_callback(self._on_uploaded)
        waits_for: list[asyncio.Future[Any]] = [upload, self._head]  # Any: of both nothing but the end is asked
        await asyncio.wait(waits_for, return_when=asyncio.FIRST_COMPLETED)
        if upload.done() and not self._head.done():
            with contextlib.suppress(BrokenOff, NoAnswer):  # the server may have answered why it takes no more
                upload.result()

    async def _pump(self, body: AsyncIterable[bytes]) -> None:
        is_chunked = self._request.body_length is None
        async for piece in body:
            if piece:
                self._connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
                try:
                    async with asyncio.timeout(self._idle_s):
                        await self._connection.drained()
                except TimeoutError:
                    raise NoAnswer(f"the server took nothing of the request for {self._idle_s:g} s") from None
        if is_chunked:
            self._connection.write(b"0\r\n\r\n")

    def _on_uploaded(self, upload: asyncio.Task[None]) -> None:
        """A body that breaks off after the answer has begun leaves a request that never ends: give it up."""
        if not upload.cancelled() and upload.exception() is not None and self._head.done() and not self._is_complete:
            self._fail(BrokenOff("the request broke off"))

    # -- the answer's body

    def __aiter__(self) -> "HttpExchange":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._is_complete:
                raise StopAsyncIteration
            self._news = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._idle_s):
                    await self._news
            except TimeoutError:
                self.close()
                raise NoAnswer(f"nothing more of the answer came for {self._idle_s:g} s") from None
        return self._take()

    def _take(self) -> bytes:
        """Return all that waits, and let the server go on."""
        data = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        if self._is_reading_paused:
            self._is_reading_paused = False
            if not self._is_complete and self._connection.is_usable:
                self._connection.transport.resume_reading()
        return data

    def close(self) -> None:
        if not self._is_complete:
            self._is_complete = True
            self._failure = self._failure or BrokenOff("the answer was given up")
            self._pieces.clear()
            self._release(is_reusable=False)

    # -- what comes

    def on_data(self, data: bytes) -> None:
        if self._trace.first_byte_s is None:
            self._trace.first_byte_s = asyncio.get_running_loop().time() - self._began_at
        try:
            self._parser.feed(data)
        except ExchangeFailed as failure:
            self._fail(failure)
            return
        if self._is_complete:
            self._release(is_reusable=self._is_reusable and not self._parser.left_over)

    def on_lost(self) -> None:
        """Take a reset, or the end of a connection that had not ended what it was saying."""
        if not self._is_complete:
            self._fail(BrokenOff("the connection was reset"))

    def on_end_of_data(self) -> None:
        if self._is_complete:
            return
        try:
            self._parser.end()
        except ExchangeFailed as failure:
            self._fail(failure)
        else:
            self._release(is_reusable=False)

    def on_head(self, status: int, reason: bytes, headers: Headers, length: int | None) -> None:
        self._is_switching = status == 101
        self._response = Response(status, reason, headers, body=self, length=length, trailers=self._trailers)
        if not self._head.done():
            self._head.set_result(None)

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > READ_AHEAD_BYTES and not self._is_reading_paused:
            self._is_reading_paused = True
            self._connection.transport.pause_reading()
        self._wake()

    def on_end(self, trailers: Headers, *, is_reusable: bool) -> None:
        self._trailers += trailers
        self._is_complete = not self._is_switching
        if self._is_switching:
            self._connection.transport.pause_reading()  # until its next owner has taken the connection over
        self._is_reusable = is_reusable
        self._wake()

    def _fail(self, failure: ExchangeFailed) -> None:
        self._is_complete = True
        self._failure = failure
        if not self._head.done():
            self._head.set_exception(failure)
            self._head.exception()  # whoever waits gets it; nobody may wait any more
        self._wake()
        self._release(is_reusable=False)

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _release(self, *, is_reusable: bool) -> None:
        """Give the connection back, without what is still being sent on it."""
        upload = self._upload
        if upload is not None and not upload.done():
            is_reusable = False
            upload.cancel()
        self._parser.close()
        self._connection.finish(is_reusable=is_reusable)
