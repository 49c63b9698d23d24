"""Connections that are kept for the next request: by tenant and server, so that tenants never share one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fanoutcloud.outbound.connection import HttpConnection
from fanoutcloud.outbound.errors import Busy
from fanoutcloud.outbound.messages import Endpoint, Trace

Key = tuple[str, Endpoint]
Connect = Callable[[Endpoint, Callable[[], HttpConnection], Trace], Awaitable[HttpConnection]]


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Numbers are per tenant and server, but for `idle_total`; times in seconds."""

    open_at_once: int = 1_000
    connecting_at_once: int = 64  # more would only fill the server's queue of callers
    waiting: int = 10_000  # requests that wait for one of the above
    wait_s: float = 15.0
    idle: int = 128
    idle_total: int = 4_000
    idle_s: float = 15.0
    #: Idle for longer than this, a connection is not used for what may not be sent twice: the server may just close it.
    fresh_s: float = 2.0
    life_s: float = 60.0  # a name's addresses are judged anew after this


@dataclass(slots=True)
class _Line:
    """One tenant's connections to one server. Idle ones are not counted in `lent`."""

    lent: int = 0  # in use, or being opened
    connecting: int = 0
    idle: deque[HttpConnection] = field(default_factory=deque)
    waiting: deque[asyncio.Future[HttpConnection | None]] = field(default_factory=deque)


class ConnectionPool:
    """Lends connections. Belongs to one event loop."""

    def __init__(self, connect: Connect, limits: PoolLimits) -> None:
        self._connect = connect
        self._limits = limits
        self._lines: dict[Key, _Line] = {}
        self._idle_total = 0
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def lent_count(self) -> int:
        return sum(line.lent for line in self._lines.values())

    @property
    def idle_count(self) -> int:
        return self._idle_total

    async def lend(self, key: Key, trace: Trace, *, is_repeatable: bool = True) -> HttpConnection:
        """Return a connection; `trace` tells whether it is a used one. It comes back by itself when its exchange ends.

        Raises:
            NotReached: it could not be opened, or too many wait (`Busy`).
        """
        line = self._lines.setdefault(key, _Line())
        used = self._find_idle(line, max_idle_s=self._limits.idle_s if is_repeatable else self._limits.fresh_s)
        if used is None and self._has_room(line):
            self._reserve(line)
        elif used is None:
            used = await self._wait(key, line)
        if used is not None:
            trace.is_reused, trace.address = True, used.address
            return used
        return await self._open(key, line, trace)

    async def open(self, key: Key, trace: Trace) -> HttpConnection:
        """Return a connection that nobody has used, as `lend` does."""
        line = self._lines.setdefault(key, _Line())
        if self._has_room(line):
            self._reserve(line)
        elif (used := await self._wait(key, line)) is not None:
            used.transport.abort()
            line.connecting += 1
        return await self._open(key, line, trace)

    def close(self) -> None:
        """Close idle connections; those that are lent end with their exchanges."""
        for line in self._lines.values():
            self._close_idle(line, keep=0)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _has_room(self, line: _Line) -> bool:
        return line.lent < self._limits.open_at_once and line.connecting < self._limits.connecting_at_once

    def _reserve(self, line: _Line) -> None:
        line.lent += 1
        line.connecting += 1

    def _find_idle(self, line: _Line, *, max_idle_s: float) -> HttpConnection | None:
        now = asyncio.get_running_loop().time()
        while line.idle and now - line.idle[-1].idle_since <= max_idle_s:  # the others are idle for longer
            connection = line.idle.pop()
            self._idle_total -= 1
            if connection.is_usable and now - connection.opened_at < self._limits.life_s:
                line.lent += 1
                return connection
            connection.transport.abort()
        return None

    async def _wait(self, key: Key, line: _Line) -> HttpConnection | None:
        """Return a connection that became free, or None: there is room to open one. Both are counted already."""
        if len(line.waiting) >= self._limits.waiting:
            raise _busy(key)
        turn: asyncio.Future[HttpConnection | None] = asyncio.get_running_loop().create_future()
        line.waiting.append(turn)
        try:
            async with asyncio.timeout(self._limits.wait_s):
                return await turn
        except BaseException as ended:
            if turn.cancelled():
                line.waiting.remove(turn)
            else:
                self._give_back(key, line, turn.result())
            if isinstance(ended, TimeoutError):
                raise _busy(key) from None
            raise

    def _give_back(self, key: Key, line: _Line, connection: HttpConnection | None) -> None:
        """Take back what was given to somebody who has left meanwhile."""
        if connection is not None:
            self._on_free(key, connection, is_reusable=connection.is_usable)
        else:
            line.lent -= 1
            line.connecting -= 1
            self._go_on(key, line)

    async def _open(self, key: Key, line: _Line, trace: Trace) -> HttpConnection:
        """Open a connection for which room was reserved."""

        def on_free(connection: HttpConnection, *, is_reusable: bool, has_left: bool = False) -> None:
            if has_left:
                line.lent -= 1
                self._go_on(key, line)
            else:
                self._on_free(key, connection, is_reusable=is_reusable)

        try:
            connection = await self._connect(key[1], lambda: HttpConnection(on_free), trace)
            connection.address = trace.address
            return connection
        except BaseException:
            line.lent -= 1
            raise
        finally:
            line.connecting -= 1
            self._go_on(key, line)

    def _on_free(self, key: Key, connection: HttpConnection, *, is_reusable: bool) -> None:
        line = self._lines[key]
        line.lent -= 1
        now = asyncio.get_running_loop().time()
        if not is_reusable or now - connection.opened_at >= self._limits.life_s:
            connection.transport.abort()
        elif line.waiting and line.lent < self._limits.open_at_once:
            line.lent += 1
            self._wake(line, connection)
        else:
            connection.idle_since = now
            line.idle.append(connection)
            self._idle_total += 1
            is_full = self._idle_total > self._limits.idle_total
            self._close_idle(line, keep=min(self._limits.idle, len(line.idle) - is_full))
            self._sweep_later()
        self._go_on(key, line)

    def _go_on(self, key: Key, line: _Line) -> None:
        """Let those who wait use the room that there is; forget a line that nobody needs."""
        while line.waiting and self._has_room(line):
            self._reserve(line)
            self._wake(line, None)
        if not (line.lent or line.waiting or line.idle):
            self._lines.pop(key, None)

    def _wake(self, line: _Line, connection: HttpConnection | None) -> None:
        line.waiting.popleft().set_result(connection)

    def _close_idle(self, line: _Line, *, keep: int) -> None:
        while len(line.idle) > keep:
            self._idle_total -= 1
            line.idle.popleft().transport.abort()

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(self._limits.idle_s / 2, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long, or is lost."""
        self._sweeper = None
        now = asyncio.get_running_loop().time()
        for key, line in list(self._lines.items()):
            keep = deque(one for one in line.idle if one.is_usable and now - one.idle_since < self._limits.idle_s)
            for one in set(line.idle) - set(keep):
                one.transport.abort()
            self._idle_total -= len(line.idle) - len(keep)
            line.idle = keep
            self._go_on(key, line)
        if self._idle_total:
            self._sweep_later()


def _busy(key: Key) -> Busy:
    return Busy(f"too many requests to {key[1].authority} are under way")
