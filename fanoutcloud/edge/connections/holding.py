"""Requests that are answered later, with what there is by then: held on our own server, or waited for on any other."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

from fanoutcloud.edge.connections.held import EXTENSION
from fanoutcloud.edge.connections.sinks import Receive, Scope, Send
from fanoutcloud.edge.site.responses import Headers


class HeldAnswer:
    """One answer that is not there yet. Is the owner of a held poll (`edge.connections.held_poll.PollOwner`)."""

    __slots__ = ("_headers", "_make_body", "_on_over", "is_last", "is_left", "is_ready", "status", "wake")

    def __init__(
        self, make_body: Callable[[], bytes], headers: Headers, *, on_over: Callable[["HeldAnswer"], None]
    ) -> None:
        """`make_body` is called when the answer goes out; `on_over` once nobody waits any more, told or gone.

        `headers` are all but the body's length.
        """
        self._make_body = make_body
        self._headers = headers
        self._on_over = on_over
        self.wake: Callable[[], None] | None = None
        self.is_ready = False
        self.is_left = False
        self.is_last = False
        self.status = 200  # `make_body` may set it, and `is_last`

    def become_ready(self) -> None:
        """Have the answer sent, with what there is by then."""
        if not self.is_ready:
            self.is_ready = True
            if self.wake is not None:
                self.wake()

    def response(self) -> bytes:
        body = self._make_body()
        lines = b"".join(b"%b: %b\r\n" % header for header in self._headers)
        ending = b"connection: close\r\n" if self.is_last else b""
        status = b"%d %b" % (self.status, HTTPStatus(self.status).phrase.encode())
        return b"HTTP/1.1 %b\r\n%b%bcontent-length: %d\r\n\r\n%b" % (status, lines, ending, len(body), body)

    def on_lost(self) -> None:
        self.is_ready = True
        self._on_over(self)

    def on_left(self) -> None:
        self.is_left = True
        self.on_lost()

    async def send(self, send: Send) -> None:
        """Answer through ASGI."""
        body = self._make_body()
        headers = [*self._headers, (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def hold(answer: HeldAnswer, scope: Scope, receive: Receive, send: Send, *, timeout_s: float) -> None:
    """Answer when `answer` is ready or time is up; where our own server holds the request, return before that."""
    offer = scope.get("extensions", {}).get(EXTENSION)
    if not answer.is_ready and timeout_s:
        if offer is not None and offer.hold_poll(answer, timeout_s=timeout_s):
            return
        await _wait(answer, receive, timeout_s)
    if not answer.is_left:
        try:
            await answer.send(send)
        finally:
            answer.on_lost()


async def _wait(answer: HeldAnswer, receive: Receive, timeout_s: float) -> None:
    """Wait until the answer is ready, time is up or the client has left; cancelling is the client's leaving, too."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    answer.wake = over.set
    timer = loop.call_later(timeout_s, over.set)
    leaving = loop.create_task(_wait_for_leaving(receive))
    leaving.add_done_callback(lambda _: over.set())
    try:
        await over.wait()
        if leaving.done():
            answer.on_left()
    except asyncio.CancelledError:
        answer.on_left()
        raise
    finally:
        timer.cancel()
        leaving.cancel()


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
