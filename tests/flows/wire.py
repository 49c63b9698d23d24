"""HTTP by hand, for what client libraries do not do: bytes on a socket, and the answers that come back."""

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from tests.servers.listening import PATIENCE_S
from tests.servers.product import ProductRealm


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    text: str


class Wire:
    """One connection."""

    def __init__(self, connection: socket.socket, incoming: BinaryIO) -> None:
        self._connection = connection
        self._incoming = incoming

    def send(self, raw: bytes) -> None:
        self._connection.sendall(raw)

    def read_answer(self) -> WireAnswer:
        """Return the next answer; fails when none comes."""
        start = self._incoming.readline().decode()
        assert start.startswith("HTTP/1.1 "), f"no answer: {start!r}"
        headers = {}
        while line := self._incoming.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = self._incoming.read(int(headers.get("content-length", 0)))
        return WireAnswer(int(start.split()[1]), headers, body.decode())

    def is_closed_by_server(self) -> bool:
        """Tell whether the server ends the connection, without a byte more. Waits for it."""
        try:
            return self._incoming.read(1) == b""
        except ConnectionResetError:
            return True


@contextmanager
def connect(port: int) -> Iterator[Wire]:
    """Open a connection to a server of this machine."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection,
        connection.makefile("rb") as incoming,
    ):
        yield Wire(connection, incoming)


def request_to_publish(realm: ProductRealm, *items: Any, target: str | None = None, **headers: str) -> bytes:
    """Return a whole request; `target` is its request target, `headers` (with `_` for `-`) are added."""
    body = json.dumps({"items": items}).encode()
    head = head_of(realm, target=target, Content_Length=str(len(body)), **headers)
    return head + body


def head_of(realm: ProductRealm, *, target: str | None = None, **headers: str) -> bytes:
    """Return the head of a publish request."""
    credential = base64.b64encode(f"{realm.realm}:{realm.key}".encode()).decode()
    lines = {"Host": "localhost", "Authorization": f"Basic {credential}"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    start = f"POST {target or f'/realm/{realm.realm}/publish/'} HTTP/1.1\r\n"
    return (start + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n").encode()
