"""`fanout bench`: how fast a server publishes and fans out, as this machine sees it.

The figures mean what those of `make bench` mean: messages per second are all copies of an item over the time from
before the publish to the last copy; percentiles are when so many of the subscribers had it; each the median of rounds.
"""

import base64
import json
import multiprocessing
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from multiprocessing.connection import Connection
from statistics import median
from typing import Any
from urllib.parse import quote, urlsplit

import click

from fanoutcloud_client.cli.load import MAX_SUBSCRIBERS, ROUND_TIMEOUT_S, Arrivals, Called, Crowd, Place, call_for
from fanoutcloud_client.cli.output import command, note, print_table, say
from fanoutcloud_client.cli.settings import Settings
from fanoutcloud_client.errors import FanoutError, InvalidRequest, Unauthorized, Unreachable

CALLERS = 16
BATCH = 100
CHANNELS = 100
PAUSE_S = 0.1
_READY = b'"subscribed"'
#: A generator that was busy for so much of the time may have been the limit.
BUSY_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class Figure:
    """One number. `remark` says what makes it void or doubtful."""

    what: str
    value: float
    unit: str
    remark: str = ""


def add_bench(group: click.Group) -> None:
    """Add the command."""

    @command(group, "bench")
    @click.option("--subscribers", type=click.IntRange(1, MAX_SUBSCRIBERS), default=1000, show_default=True)
    @click.option("--rounds", type=click.IntRange(1, 1000), default=9, show_default=True, help="Items to fan out.")
    @click.option("--seconds", type=click.FloatRange(0.1, 60), default=5.0, show_default=True, help="Of publishing.")
    @click.option("--transport", type=click.Choice(["websocket", "sse"]), default="websocket", show_default=True)
    @click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="To hold subscribers.")
    @click.option("--only", type=click.Choice(["fan-out", "publish"]), help="Measure this alone.")
    def bench(settings: Settings, **given: Any) -> None:
        """Measure publishing and fan-out of a realm, with subscribers in processes of this machine.

        Publishes to channels of its own; counts in the realm's usage, and is held to its limits. Needs a key.
        """
        if not settings.key:
            raise Unauthorized("bench publishes with a key", code="no_credential", cure="set FANOUT_KEY")
        figures: list[Figure] = []
        if given["only"] != "publish":
            figures += measure_fan_out(settings, given)
        if given["only"] != "fan-out":
            figures += measure_publishing(settings, given["seconds"])
        _show(settings, figures)


def measure_fan_out(settings: Settings, given: dict[str, Any]) -> list[Figure]:
    """Have subscribers wait for items, one a round."""
    channel = f"bench.{secrets.token_hex(4)}"
    place, rounds = Place.of(settings.need_url()), []
    request = _subscribe_request(settings, channel, given["transport"])
    with (
        _crowds(place, request, given["subscribers"], given["processes"]) as crowds,
        closing(_connection_of(place)) as publisher,
    ):
        connect_s = max(_receive(crowd) for crowd in crowds)
        for number in range(given["rounds"]):
            time.sleep(PAUSE_S)
            marker = f"fanbench{number:06}"
            for crowd in crowds:
                crowd.send(marker.encode())
            began_at = time.monotonic()
            status = _publish(settings, publisher, channel, marker)
            rounds.append(_Round(began_at, status, [_receive(crowd) for crowd in crowds]))
    remark = next((one.fault for one in rounds if one.fault), "")
    busy = median(one.busy_share for one in rounds)
    if not remark and busy > BUSY_SHARE:
        remark = f"the generator was busy for {busy:.0%} of the time and may be the limit: try --processes"
    subscribers = given["subscribers"]
    what = f"fan-out to {subscribers:,} over {given['transport']}"
    return [
        Figure("subscribers connected", subscribers / connect_s, "/s"),
        Figure(what, median(one.messages_per_s for one in rounds), "msg/s", remark),
        Figure(f"{what}, half had it after", median(one.after_ms(0.5) for one in rounds), "ms"),
        Figure(f"{what}, 99 % had it after", median(one.after_ms(0.99) for one in rounds), "ms"),
        Figure(f"{what}, the last had it after", median(one.after_ms(1.0) for one in rounds), "ms"),
    ]


def measure_publishing(settings: Settings, seconds: float) -> list[Figure]:
    """Have 16 publishers wait for their answers, with one item in each request and with 100."""
    place, name, figures = Place.of(settings.need_url()), secrets.token_hex(4), []
    for items in (1, BATCH):
        requests = [
            _publish_request(settings, [(f"bench.{name}.{(at + n) % CHANNELS}", {"n": at}) for n in range(items)])
            for at in range(CHANNELS)
        ]
        called = call_for(place, requests, callers=CALLERS, seconds=seconds)
        what = "publishing, one item per request" if items == 1 else f"publishing, {items} items per request"
        done = (called.answered - called.refused) * items / called.seconds
        figures += [
            Figure(what, done, "items/s", _remark_of(called)),
            Figure(f"{what}, median of the answer", 1000 * _share(sorted(called.took_s), 0.5), "ms"),
            Figure(f"{what}, p99 of the answer", 1000 * _share(sorted(called.took_s), 0.99), "ms"),
        ]
    return figures


@dataclass(frozen=True, slots=True)
class _Round:
    began_at: float
    status: int
    parts: list[Arrivals]

    @property
    def at(self) -> list[float]:
        return sorted(moment - self.began_at for part in self.parts for moment in part.at)

    @property
    def messages_per_s(self) -> float:
        at = self.at
        return len(at) / at[-1] if at else 0.0

    def after_ms(self, share: float) -> float:
        return 1000 * _share(self.at, share)

    @property
    def busy_share(self) -> float:
        lasted_s = max(self.after_ms(1.0) / 1000, 1e-6)
        return max(part.busy_s for part in self.parts) / lasted_s

    @property
    def fault(self) -> str:
        """What makes the round void: each subscriber must get each item exactly once."""
        if self.status != 200:
            return f"void: a publish was answered {self.status}; see `fanout publish`"
        missing, extra, lost = (
            sum(getattr(part, name) for part in self.parts) for name in ("missing", "extra", "lost")
        )
        if missing or extra or lost:
            return f"void: {missing} missed an item, {extra} came twice, {lost} connections were lost"
        return ""


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))] if ordered else 0.0


def _remark_of(called: Called) -> str:
    if called.refused:
        return f"{called.refused:,} of {called.answered:,} requests were refused, and are not counted"
    busy = called.busy_s / called.seconds
    return f"the generator was busy for {busy:.0%} of the time and may be the limit" if busy > BUSY_SHARE else ""


# -- processes that hold subscribers


@contextmanager
def _crowds(place: Place, request: bytes, subscribers: int, processes: int) -> Iterator[list[Connection]]:
    """Start the processes. Each says first how long connecting took, then answers each marker with its arrivals."""
    spawn = multiprocessing.get_context("spawn")
    started, ends = [], []
    for number in range(processes):
        count = subscribers // processes + (number < subscribers % processes)
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=hold, args=(theirs, place, request, count), daemon=True)
        process.start()
        theirs.close()
        started.append(process)
        ends.append(ours)
    try:
        yield ends
    finally:
        for end in ends:
            end.close()
        for process in started:
            process.join(5)
            process.terminate()


def hold(parent: Connection, place: Place, request: bytes, count: int) -> None:
    """Hold subscribers until the parent hangs up."""
    crowd = Crowd(place, request, count, ready=_READY)
    try:
        parent.send(crowd.connect())
        while True:
            parent.send(crowd.take_round(parent.recv()))
    except FanoutError as error:
        parent.send(str(error))
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    finally:
        crowd.close()


def _receive(crowd: Connection) -> Any:  # what `hold` sends
    try:
        told = crowd.recv()
    except EOFError:
        raise FanoutError("a process that held subscribers has ended", cure="take fewer --subscribers") from None
    if isinstance(told, str):
        raise FanoutError(told)
    return told


# -- requests


def _connection_of(place: Place) -> HTTPConnection:
    kind = HTTPSConnection if place.is_tls else HTTPConnection
    return kind(place.host, place.port, timeout=ROUND_TIMEOUT_S)


def _publish(settings: Settings, publisher: HTTPConnection, channel: str, marker: str) -> int:
    """Publish one item over a connection that is kept; return the status of the answer."""
    _, body = _publish_request(settings, [(channel, {"n": marker})]).split(b"\r\n\r\n", 1)
    headers = {"Authorization": _credential(settings), "Content-Type": "application/json"}
    try:
        publisher.request("POST", f"/realm/{quote(settings.realm, safe='')}/publish/", body, headers)
        answer = publisher.getresponse()
        answer.read()
    except (OSError, HTTPException) as error:
        raise Unreachable(f"the publish was not answered: {error}", cure="see what the server says") from error
    return answer.status


def _credential(settings: Settings) -> str:
    return "Basic " + base64.b64encode(f"{settings.realm}:{settings.key}".encode()).decode()


def _subscribe_request(settings: Settings, channel: str, transport: str) -> bytes:
    headers = {
        "websocket": [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ],
        "sse": ["Accept: text/event-stream"],
    }[transport]
    if settings.token:
        headers.append(f"Authorization: Bearer {settings.token}")
    path = {"websocket": "ws", "sse": "sse"}[transport]
    if not settings.realm:
        raise InvalidRequest("no realm is named", cure="set FANOUT_REALM", field="realm")
    return _request(settings, f"GET /r/{quote(settings.realm, safe='')}/fanout/{path}?channel={channel}", headers)


def _publish_request(settings: Settings, items: list[tuple[str, Any]]) -> bytes:
    told = [{"channel": channel, "json-object": data} for channel, data in items]
    body = json.dumps({"items": told}, separators=(",", ":")).encode()
    headers = [
        f"Authorization: {_credential(settings)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return _request(settings, f"POST /realm/{quote(settings.realm, safe='')}/publish/", headers) + body


def _request(settings: Settings, first: str, headers: list[str]) -> bytes:
    host = urlsplit(settings.need_url()).netloc
    return "\r\n".join([f"{first} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def _show(settings: Settings, figures: list[Figure]) -> None:
    if settings.as_json:
        for figure in figures:
            say(settings, asdict(figure), "")
        return
    rows = [(one.what, f"{one.value:,.0f}" if one.value >= 100 else f"{one.value:.2f}", one.unit) for one in figures]
    print_table(("MEASURED", "", ""), rows)
    for figure in figures:
        if figure.remark:
            note(settings, f"{figure.what}: {figure.remark}")
    note(
        settings,
        "Measured from this machine, its network and its load included; where the server runs here too, both share the "
        "processors. Figures are medians of rounds.",
    )
