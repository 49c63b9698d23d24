"""One connection to Redis, pipelined: commands of one loop turn leave in one write, replies come back in order.

Written for this broker rather than taken from redis-py: with 16 callers a command costs 8 µs of our time here and
55 µs there (docs/topics/streams.md). Protocol: RESP3, so that replies and pub/sub messages ("pushes") are told apart
by their type.
"""

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import hiredis

from fanoutcloud.broker.redis_address import RedisAddress
from fanoutcloud.core.errors import Unavailable

logger = logging.getLogger(__name__)

Argument = str | bytes | int
#: What Redis answers: bytes, int, None, lists and maps of these. The caller knows which, by the command.
Reply = Any
Push = Sequence[Any]

MIN_REDIS_VERSION = 7  # sharded pub/sub
_INCOMPLETE = object()
# hiredis declares the argument as a tuple of one, and no result.
_pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class RedisLimits:
    """Limits of one connection. Times in seconds; every wait for Redis ends within `answer_s` and one check.

    Times are counted in checks that really ran: while our own event loop is held up, answers lie unread in the socket,
    and Redis is not to blame.
    """

    connect_s: float = 3.0
    answer_s: float = 4.0  # the oldest command without an answer for this long: the connection is given up
    ping_s: float = 3.0  # nothing received for this long: ask, so that a dead peer shows within 8 s
    watch_s: float = 1.0  # so often a server is asked who it is, and the Sentinels whether it is still the one
    max_pending: int = 50_000  # commands without an answer; more are refused
    max_pending_bytes: int = 64 * 1024 * 1024

    @property
    def check_every_s(self) -> float:
        """How often the times are looked at."""
        return min(1.0, self.answer_s / 4, self.ping_s / 2)


class ScriptMissing(Exception):
    """Redis does not know the script of an EVALSHA (any more)."""


class Redirected(Unavailable):
    """Another node of the Cluster has the slot; with `is_asking`, only for this call (`ASK`)."""

    def __init__(self, slot: int, host: str, port: int, *, is_asking: bool) -> None:
        super().__init__("another node of the broker has this channel", retry_after_s=1)
        self.slot = slot
        self.host = host
        self.port = port
        self.is_asking = is_asking


class SlotMoving(Unavailable):
    """Keys of the channel are on their way from one node of the Cluster to another (`TRYAGAIN`)."""


class RedisConnection(asyncio.Protocol):
    """An open connection. Ends by `close`, by the peer, or by the times in `RedisLimits`; is never opened again."""

    def __init__(self, *, limits: RedisLimits, on_pushes: Callable[[Sequence[Push]], None] | None) -> None:
        self._limits = limits
        self._on_pushes = on_pushes
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(replyError=self._to_error, notEnoughData=_INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._pending: deque[tuple[asyncio.Future[Reply], int, int]] = deque()  # (reply, check, bytes)
        self._pending_bytes = 0
        self._outgoing: list[bytes] = []
        self._check = 0  # how many checks of the times have run
        self._received_in_check = 0
        self._watch: asyncio.TimerHandle | None = None
        self._refusals: set[str] = set()
        self._fences: dict[asyncio.Future[Reply], Exception | None] = {}  # not yet answered, and the error so far

    @classmethod
    async def open(
        cls,
        address: RedisAddress,
        *,
        limits: RedisLimits | None = None,
        on_pushes: Callable[[Sequence[Push]], None] | None = None,
    ) -> Self:
        """Return a connection that is logged in and answers; `on_pushes` gets all pushes of one read together.

        Raises:
            Unavailable: that was not so within `connect_s`, or this is no Redis that we can use.
        """
        limits = limits or RedisLimits()
        connection = cls(limits=limits, on_pushes=on_pushes)
        try:
            async with asyncio.timeout(limits.connect_s):
                await connection._connect(address)
                await connection._greet(address)
        except (OSError, TimeoutError) as error:
            await connection.close()
            raise Unavailable("the broker can't be reached") from error
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    async def wait_closed(self) -> None:
        """Return when the connection has ended. No deadline: it ends by the times in `RedisLimits`."""
        await asyncio.shield(self._closed)

    async def close(self) -> None:
        """End the connection; commands without an answer get `Unavailable`. Safe to call twice."""
        if self._transport is not None:
            self._transport.abort()
            await self.wait_closed()

    def abort(self) -> None:
        """As `close`, without waiting."""
        if self._transport is not None:
            self._transport.abort()

    def call(self, *command: Argument) -> asyncio.Future[Reply]:
        """Send a command; the future gets the reply.

        Raises `Unavailable` at once when the connection has ended or too much waits for an answer; the future gets
        it when Redis refuses the command or does not answer. Cancelling takes nothing back.
        """
        return self.call_all([command])[0]

    def call_all(self, commands: Sequence[Sequence[Argument]]) -> list[asyncio.Future[Reply]]:
        """Send commands, all or none of them; otherwise as `call`."""
        packed = [_pack(tuple(command)) for command in commands]
        size = sum(map(len, packed))
        self._check_room(len(packed), size)
        replies = []
        for data in packed:
            reply = self._loop.create_future()
            self._pending.append((reply, self._check, len(data)))
            replies.append(reply)
        self._pending_bytes += size
        self._write(packed)
        return replies

    def send(self, *command: Argument) -> None:
        """Send a command that is answered by pushes only (the subscribe family, RESP3)."""
        self._check_room(0, 0)
        self._write([_pack(command)])

    def fence(self) -> asyncio.Future[Reply]:
        """Return a future that is done when all commands sent before have been carried out.

        It gets the first error of those that were given to `send`: their errors have no future of their own.
        """
        reply = self.call("PING")
        self._fences[reply] = None
        return reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast(asyncio.Transport, transport)
        self._plan_watch()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._received_in_check = self._check
        pushes: list[Push] = []
        gets, push_type = self._reader.gets, hiredis.PushNotification
        try:
            self._reader.feed(data)
            while (reply := gets()) is not _INCOMPLETE:
                if type(reply) is push_type:
                    pushes.append(reply)
                else:
                    self._settle(reply)
        except hiredis.ProtocolError:
            self._give_up("protocol_error")
        if pushes and self._on_pushes is not None:  # before anybody goes on who waited for one of the replies
            self._on_pushes(pushes)

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if self._watch is not None:
            self._watch.cancel()
        pending, self._pending = self._pending, deque()
        for reply, _, _ in pending:
            if not reply.done():
                reply.set_exception(Unavailable("the connection to the broker was lost before it answered"))
        if not self._closed.done():
            self._closed.set_result(None)

    async def _connect(self, address: RedisAddress) -> None:
        if address.path is not None:
            await self._loop.create_unix_connection(lambda: self, address.path)
            return
        context = ssl.create_default_context() if address.tls else None
        await self._loop.create_connection(lambda: self, address.host, address.port, ssl=context)

    async def _greet(self, address: RedisAddress) -> None:
        login = [] if address.password is None else ["AUTH", address.username, address.password]
        greeting = await self.call("HELLO", 3, *login, "SETNAME", "fanout")
        version = greeting[b"version"].decode()
        if int(version.partition(".")[0]) < MIN_REDIS_VERSION:
            raise Unavailable(f"the broker is Redis {version}; {MIN_REDIS_VERSION} or newer is needed")
        if address.database:
            await self.call("SELECT", address.database)
        await self.call("PING")  # refused while Redis loads its data

    def _check_room(self, commands: int, size: int) -> None:
        if not self.is_open:
            raise Unavailable("the connection to the broker is down", retry_after_s=1)
        has_room = self._pending_bytes + size <= self._limits.max_pending_bytes
        if commands and not (has_room and len(self._pending) + commands <= self._limits.max_pending):
            raise Unavailable("too much waits for the broker", retry_after_s=1)

    def _write(self, packed: list[bytes]) -> None:
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing += packed

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self.is_open and self._transport is not None:
            self._transport.write(b"".join(outgoing))

    def _settle(self, reply: Reply) -> None:
        if not self._pending:  # an error to a command that has only pushes as answers, or no Redis at all
            self._give_up("unexpected_reply")
            return
        future, _, size = self._pending[0]
        if future in self._fences:
            if isinstance(reply, Exception):  # of a command before: the fence's own answer comes yet
                self._fences[future] = self._fences[future] or reply
                return
            reply = self._fences.pop(future) or reply
        self._pending.popleft()
        self._pending_bytes -= size
        if future.done():
            return
        if isinstance(reply, Exception):
            future.set_exception(reply)
        else:
            future.set_result(reply)

    def _to_error(self, message: str) -> Exception:
        """Return what an error reply means to us; logged once per kind and connection, for it may come in floods."""
        code = message.partition(" ")[0]
        if code == "NOSCRIPT":
            return ScriptMissing(message)
        if code in ("MOVED", "ASK"):
            return _to_redirection(message)
        if code == "TRYAGAIN":
            return SlotMoving("the broker is moving this channel", retry_after_s=1)
        if code not in self._refusals:
            self._refusals.add(code)
            logger.warning("redis_refused", extra={"code": code})
        if code == "READONLY":  # a replica now: connecting anew finds the new primary
            self._give_up("readonly")
        return Unavailable(f"the broker refused the command ({code})")

    def _plan_watch(self) -> None:
        self._watch = self._loop.call_later(self._limits.check_every_s, self._on_watch)

    def _on_watch(self) -> None:
        self._check += 1
        if self._pending:
            if self._seconds_since(self._pending[0][1]) > self._limits.answer_s:
                self._give_up("no_answer")
        elif self.is_open and self._seconds_since(self._received_in_check) > self._limits.ping_s:
            self.call("PING").add_done_callback(_take_outcome)
        self._plan_watch()

    def _seconds_since(self, check: int) -> float:
        return (self._check - check) * self._limits.check_every_s

    def _give_up(self, reason: str) -> None:
        if self.is_open and self._transport is not None:
            logger.warning("redis_connection_given_up", extra={"reason": reason})
            self._transport.abort()


def _take_outcome(reply: asyncio.Future[Reply]) -> None:
    """Look at how a command ended that nobody waits for, so that asyncio does not report it as forgotten."""
    if not reply.cancelled():
        reply.exception()


def _to_redirection(message: str) -> Redirected:
    """Read `MOVED SLOT HOST:PORT`; the host may be empty: the node that says so."""
    code, slot, place = message.split(" ")[:3]
    host, _, port = place.rpartition(":")
    return Redirected(int(slot), host, int(port), is_asking=code == "ASK")
