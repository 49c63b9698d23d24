"""What `fanout bench` measures with: many subscribers or publishers on raw sockets, one epoll loop per process.

It looks for texts and parses no protocol, as little per message as Python allows, so that the server is the bottleneck
and not the generator. How busy the generator was is measured beside, and told.
"""

import contextlib
import itertools
import resource
import select
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fanoutcloud_client.errors import FanoutError, InvalidRequest, Unreachable

CONNECT_TIMEOUT_S = 10.0
ROUND_TIMEOUT_S = 30.0
CONNECTS_AT_ONCE = 200
#: Below the number of ports that Linux gives out for one pair of addresses.
MAX_SUBSCRIBERS = 20_000
READ_BYTES = 65_536
#: Whoever sends to a process that sleeps in epoll has to wake it, which distant clients do not cost a server: so after
#: few events this process rests before it looks again. `make bench`'s generators do the same.
REST_S = 0.001
FEW_EVENTS = 64
#: Files that a process has open besides its connections.
_OTHER_FILES = 64
_ENDS_OF_MESSAGES = (b"}", b"\n")


def raise_file_limit(wanted: int) -> None:
    """Let this process hold `wanted` connections.

    Raises:
        InvalidRequest: the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise InvalidRequest(
            f"this user may have {hard:,} files open; {needed:,} are needed",
            cure="raise it with `ulimit -Hn`, or take fewer --subscribers",
            field="subscribers",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect to, from an http or https address."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read it from an address."""
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls)

    def connect(self, context: ssl.SSLContext | None) -> socket.socket:
        """Return an open connection.

        Raises:
            Unreachable: there is none to be had.
        """
        try:
            plain = socket.create_connection((self.host, self.port), CONNECT_TIMEOUT_S)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain if context is None else context.wrap_socket(plain, server_hostname=self.host)
        except OSError as error:
            raise Unreachable(f"{self.host}:{self.port} can't be reached: {error}", cure="check the address") from error

    def context(self) -> ssl.SSLContext | None:
        """Return what connections share for TLS."""
        return ssl.create_default_context() if self.is_tls else None


def read_some(connection: socket.socket) -> bytes | None:
    """Return what there is without waiting; None: nothing yet. Empty: the other side has closed."""
    try:
        return connection.recv(READ_BYTES)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except OSError:
        return b""


@dataclass(slots=True)
class Arrivals:
    """When the copies of one round came, by the machine's monotonic clock, and what went wrong."""

    at: list[float] = field(default_factory=list)
    missing: int = 0
    extra: int = 0
    lost: int = 0
    busy_s: float = 0.0


class Crowd:
    """Many subscribers of one channel in this process."""

    def __init__(self, place: Place, request: bytes, count: int, *, ready: bytes) -> None:
        self._place = place
        self._request = request
        self._ready = ready
        self._count = count
        self._connections: dict[int, socket.socket] = {}
        self._tails: dict[int, bytes] = {}
        self._poll = select.epoll()

    def connect(self) -> float:
        """Connect all of them, some hundred at once; return the seconds until the last was subscribed.

        Raises:
            FanoutError: the server did not take one of them.
        """
        raise_file_limit(self._count)
        context, began_at = self._place.context(), time.monotonic()
        for first in range(0, self._count, CONNECTS_AT_ONCE):
            fresh: dict[int, bytes] = {}
            for _ in range(min(CONNECTS_AT_ONCE, self._count - first)):
                connection = self._place.connect(context)
                connection.sendall(self._request)
                connection.settimeout(0)
                self._connections[connection.fileno()] = connection
                self._poll.register(connection, select.EPOLLIN)
                fresh[connection.fileno()] = b""
            self._wait_until_ready(fresh)
        return time.monotonic() - began_at

    def take_round(self, marker: bytes) -> Arrivals:
        """Wait until each has had `marker` once; return when they did."""
        arrivals, got = Arrivals(), dict.fromkeys(self._connections, 0)
        left, give_up_at = len(got), time.monotonic() + ROUND_TIMEOUT_S
        busy_from = time.process_time()
        while left and (wait_s := give_up_at - time.monotonic()) > 0:
            events = self._poll.poll(wait_s)
            for number, _ in events:
                data = read_some(self._connections[number]) if number in self._connections else None
                if data is None:
                    continue
                if not data:
                    self._lose(number)
                    arrivals.lost += 1
                    left -= got[number] == 0
                    continue
                for _ in range(self._count_in(number, data, marker)):
                    arrivals.at.append(time.monotonic())
                    left -= got[number] == 0
                    got[number] += 1
            if len(events) < FEW_EVENTS:
                time.sleep(REST_S)
        arrivals.missing = sum(1 for copies in got.values() if copies == 0)
        arrivals.extra = sum(copies - 1 for copies in got.values() if copies > 1)
        arrivals.busy_s = time.process_time() - busy_from
        return arrivals

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            with contextlib.suppress(OSError):
                connection.close()
        self._poll.close()

    def _wait_until_ready(self, fresh: dict[int, bytes]) -> None:
        give_up_at = time.monotonic() + CONNECT_TIMEOUT_S
        while fresh:
            events = self._poll.poll(max(0.0, give_up_at - time.monotonic()))
            if not events and time.monotonic() >= give_up_at:
                raise FanoutError(
                    f"{len(fresh)} subscribers were not answered within {CONNECT_TIMEOUT_S:.0f} s",
                    code="not_ready",
                    cure="take fewer --subscribers, or see what the server says",
                )
            for number, _ in events:
                data = read_some(self._connections[number])
                if data is None or number not in fresh:
                    continue
                fresh[number] += data
                if self._ready in fresh[number]:
                    del fresh[number]
                elif not data or b'"type":"error"' in fresh[number] or b'{"error"' in fresh[number]:
                    raise FanoutError(
                        f"the server did not take a subscriber: {fresh[number][-400:].decode(errors='replace')!r}",
                        code="refused",
                        cure="check the realm's limits, and the token where the channel needs one",
                    )

    def _count_in(self, number: int, data: bytes, marker: bytes) -> int:
        """Count the marker; a text that two reads cut in half is counted with the second."""
        if number in self._tails:
            data = self._tails.pop(number) + data
        if not data.endswith(_ENDS_OF_MESSAGES):
            self._tails[number] = data[1 - len(marker) :]
        return data.count(marker)

    def _lose(self, number: int) -> None:
        self._poll.unregister(number)
        self._connections.pop(number).close()


@dataclass(frozen=True, slots=True)
class Called:
    """What publishers got done: answers, refusals, and how long answers took."""

    answered: int
    refused: int
    seconds: float
    took_s: Sequence[float]
    busy_s: float


def call_for(place: Place, requests: Sequence[bytes], *, callers: int, seconds: float) -> Called:
    """Have publishers send the requests in turn for so long, each waiting for its answer before the next.

    Raises:
        Unreachable: the server hung up.
    """
    publishers = _Publishers(place, requests, callers)
    busy_from, began_at = time.process_time(), time.monotonic()
    try:
        publishers.begin()
        while publishers.asked_at:
            publishers.take_answers(may_ask=lambda now: now - began_at < seconds)
        lasted_s, busy_s = time.monotonic() - began_at, time.process_time() - busy_from
        return Called(len(publishers.took_s), publishers.refused, lasted_s, publishers.took_s, busy_s)
    finally:
        publishers.close()


class _Publishers:
    """Connections that publish: each has one request on its way at most."""

    def __init__(self, place: Place, requests: Sequence[bytes], count: int) -> None:
        context = place.context()
        self._connections = {one.fileno(): one for one in (place.connect(context) for _ in range(count))}
        self._requests = itertools.cycle(requests)
        self._answers = dict.fromkeys(self._connections, b"")
        self._poll = select.epoll()
        #: When each connection that waits for an answer has asked.
        self.asked_at: dict[int, float] = {}
        self.took_s: list[float] = []
        self.refused = 0

    def begin(self) -> None:
        """Send a request on each connection."""
        for number, connection in self._connections.items():
            self._poll.register(number, select.EPOLLIN)
            self._ask(number, time.monotonic())
            connection.settimeout(0)

    def take_answers(self, *, may_ask: Callable[[float], bool]) -> None:
        """Wait for answers, note how long they took, and ask again on their connections while `may_ask(now)`."""
        for number, _ in self._poll.poll(CONNECT_TIMEOUT_S) or _hung():
            data = read_some(self._connections[number])
            if data == b"":
                _hung()
            self._answers[number] += data or b""
            if not _is_whole(self._answers[number]):
                continue
            now = time.monotonic()
            self.took_s.append(now - self.asked_at.pop(number))
            self.refused += not self._answers[number].startswith(b"HTTP/1.1 2")
            self._answers[number] = b""
            if may_ask(now):
                self._ask(number, now)

    def close(self) -> None:
        """Hang up."""
        for connection in self._connections.values():
            connection.close()
        self._poll.close()

    def _ask(self, number: int, now: float) -> None:
        self.asked_at[number] = now
        self._connections[number].sendall(next(self._requests))


def _hung() -> list[tuple[int, int]]:
    raise Unreachable("the server hung up, or did not answer a publish in time", cure="see what the server says")


def _is_whole(answer: bytes) -> bool:
    """Tell whether an HTTP answer with a Content-Length is complete."""
    head, blank, body = answer.partition(b"\r\n\r\n")
    if not blank:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
    return len(body) >= int(length or b"0")
