"""One probe: subscribe over each transport, publish one item, and see how long it takes to each. No database here.

It goes the way of a customer, through whatever stands in front of the service, so that it fails when theirs would.
"""

import base64
import http.client
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

TRANSPORTS = ("websocket", "sse", "http-stream", "long-poll")
CHANNEL = "probe"
#: What takes longer than this counts as failed.
LIMIT_S = 10.0
_PATHS = {"sse": "sse", "http-stream": "stream", "long-poll": "poll"}
_CHUNK_BYTES = 4096
_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """The realm that is probed, at the address that customers use."""

    url: str
    realm: str
    key: str

    @property
    def site(self) -> str:
        return f"{self.url}/r/{self.realm}/fanout"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one transport: seconds from publishing to having the item, or the problem."""

    transport: str
    took_s: float | None = None
    problem: str = ""


def probe(target: ProbeTarget) -> list[Outcome]:
    """Return what came of each transport. Blocks for `LIMIT_S` twice at most; raises nothing."""
    nonce = secrets.token_hex(8)
    try:
        cursor = json.loads(_get(f"{target.site}/poll?channel={CHANNEL}&timeout=0"))["cursor"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as problem:
        return [Outcome(transport, problem=f"no connection: {_word(problem)}") for transport in TRANSPORTS]
    stop = Event()
    with ThreadPoolExecutor(len(TRANSPORTS)) as pool:
        opened = {transport: Event() for transport in TRANSPORTS}
        listening = {
            transport: pool.submit(_listen, target, transport, cursor, nonce.encode(), opened[transport], stop)
            for transport in TRANSPORTS
        }
        for transport in TRANSPORTS:
            opened[transport].wait(LIMIT_S / len(TRANSPORTS))
        published_at = time.monotonic()
        refusal = _publish(target, nonce)
        if refusal:
            stop.set()
        return [_judge(transport, listening[transport], published_at, refusal) for transport in TRANSPORTS]


def _judge(transport: str, listening: "Future[float]", published_at: float, refusal: str) -> Outcome:
    try:
        arrived_at = listening.result(timeout=2 * LIMIT_S)
    except (OSError, http.client.HTTPException, WebSocketException) as problem:
        return Outcome(transport, problem=refusal or f"nothing arrived: {_word(problem)}")
    return Outcome(transport, took_s=max(0.0, arrived_at - published_at))


def _listen(target: ProbeTarget, transport: str, cursor: str, nonce: bytes, opened: Event, stop: Event) -> float:
    """Return when the item with the nonce came."""
    query = f"?channel={CHANNEL}&since={cursor}"
    if transport == "websocket":
        address = target.site.replace("http", "ws", 1) + f"/ws{query}"
        with connect(address, open_timeout=LIMIT_S, close_timeout=1, proxy=None) as socket:
            opened.set()
            return _wait_for(nonce, lambda wait_s: str(socket.recv(timeout=wait_s)).encode(), stop)
    connection, path = _connection(f"{target.site}/{_PATHS[transport]}{query}")
    try:
        connection.request("GET", path)
        if transport == "long-poll":
            opened.set()  # the answer is the item; the cursor has it come whenever the request arrives
        answer = connection.getresponse()
        opened.set()
        return _wait_for(nonce, lambda _: answer.read1(_CHUNK_BYTES), stop)
    finally:
        connection.close()


def _wait_for(nonce: bytes, read: Callable[[float], bytes], stop: Event) -> float:
    seen, deadline = b"", time.monotonic() + LIMIT_S
    while nonce not in seen:
        left_s = deadline - time.monotonic()
        chunk = b"" if stop.is_set() or left_s <= 0 else read(left_s)
        if not chunk:
            raise TimeoutError("it did not come in time")
        seen = seen[-len(nonce) :] + chunk
    return time.monotonic()


def _publish(target: ProbeTarget, nonce: str) -> str:
    """Publish the item; return what is wrong, "" if nothing is."""
    body = json.dumps({"items": [{"channel": CHANNEL, "id": nonce, "json-object": {"probe": nonce}}]}).encode()
    credential = base64.b64encode(f"{target.realm}:{target.key}".encode()).decode()
    headers = {"Authorization": f"Basic {credential}", "Content-Type": "application/json"}
    connection, path = _connection(f"{target.url}/realm/{target.realm}/publish/")
    try:
        connection.request("POST", path, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as problem:
        return f"publishing failed: {_word(problem)}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"publishing failed: status {status}"


def _get(url: str) -> bytes:
    connection, path = _connection(url)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(_ANSWER_BYTES)
    finally:
        connection.close()


def _connection(url: str) -> tuple[http.client.HTTPConnection, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=LIMIT_S), f"{parts.path}?{parts.query}"


def _word(problem: Exception) -> str:
    """Return the problem without addresses, which are nobody's business on a public page."""
    return "timed out" if isinstance(problem, TimeoutError) else type(problem).__name__
