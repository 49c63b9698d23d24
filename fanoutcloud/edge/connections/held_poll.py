"""A held long-poll on our own server: nothing but a socket, a timer and its subscriber until the answer."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from fanoutcloud.edge.connections.held import Held, ServerConnections

#: What a client may send ahead while its poll is held; more ends the connection.
MAX_EARLY_BYTES = 32_768


class PollOwner(Protocol):
    """The poll's subscriber."""

    wake: Callable[[], None] | None

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with the answer, whatever the client asked for."""

    def response(self) -> bytes:
        """Return the whole HTTP response, as of now."""

    def on_lost(self) -> None:
        """The poll is over."""

    def on_left(self) -> None:
        """The client left before the answer."""


class HeldPoll(Held[PollOwner]):
    """Holds the connection until its owner wakes it or time is up; then answers and gives it back to HTTP."""

    __slots__ = ("_begin_http", "_early", "_timer")

    def __init__(
        self,
        transport: asyncio.Transport,
        owner: PollOwner,
        *,
        timeout_s: float,
        connections: ServerConnections,
        begin_http: Callable[[asyncio.Transport, bytes], None] | None,
    ) -> None:
        """`begin_http` takes the connection back after the answer, with what came early; None: close it."""
        self._begin_http = begin_http
        self._early = b""
        self._timer = asyncio.get_running_loop().call_later(timeout_s, self._answer)
        owner.wake = self._answer_soon
        super().__init__(transport, owner, connections)

    @property
    def early(self) -> bytes:
        """What the client has sent ahead."""
        return self._early

    @property
    def keeps_alive(self) -> bool:
        """Whether the connection goes on after the answer."""
        return self._begin_http is not None

    def stop_timer(self) -> float:
        """Answer no more when time is up; return the seconds that were left."""
        self._timer.cancel()
        return max(0.0, self._timer.when() - asyncio.get_running_loop().time())

    def restart_timer(self, seconds_left: float) -> None:
        """Go on where `stop_timer` stopped."""
        self._timer = asyncio.get_running_loop().call_later(seconds_left, self._answer)

    def take_transport(self) -> asyncio.Transport | None:
        """Give the connection away, to be answered otherwise; None if it is being answered or has gone."""
        if self._is_over or self._transport.is_closing():
            return None
        self._is_over = True
        self._timer.cancel()
        self._connections.discard(self)
        return self._transport

    @property
    def connections(self) -> ServerConnections:
        return self._connections

    def _answer_soon(self) -> None:
        """Answer at the end of this turn of the loop, so that items published together are answered together."""
        asyncio.get_running_loop().call_soon(self._answer)

    def _answer(self) -> None:
        if self._is_over or self._transport.is_closing():
            return
        self._is_over = True
        self._timer.cancel()
        self._transport.write(self._owner.response())
        if self._owner.is_last:
            self._begin_http = None
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Give the connection back, a turn later: when many polls are answered, all answers are on their way first."""
        self._connections.discard(self)
        self._owner.wake = None  # the two hold each other no longer, and are no garbage to collect
        self._owner.on_lost()
        if self._transport.is_closing():
            return
        if self._begin_http is None:
            self._transport.close()
        else:
            self._begin_http(self._transport, self._early)

    def shutdown(self) -> None:
        """Be ended by the server: answer now, and do not wait for another poll."""
        self._begin_http = None
        self._answer()

    # -- asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Keep a request that the client sends ahead."""
        self._early += data
        if len(self._early) > MAX_EARLY_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._timer.cancel()
        self._connections.discard(self)
        self._owner.wake = None
        self._owner.on_left()
