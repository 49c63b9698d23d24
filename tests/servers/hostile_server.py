"""Servers that answer questions about passwords as no service would: late, never, without end, with anything."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

ENDLESS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * 65_536 + b"\r\n"


class HostileServer:
    """Behaves as `behaviour` names; `open` are the callers that it still has."""

    def __init__(self) -> None:
        self.behaviour = "silent"
        self.open = 0
        self._over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/xmpp/auth"

    def run(self) -> None:
        """Serve until closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                self.open += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def close(self) -> None:
        self._over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.recv(65_536)
            _BEHAVIOURS[self.behaviour](client, self._over)
        self.open -= 1


def _silent(client: socket.socket, over: threading.Event) -> None:
    while client.recv(1):  # until the caller gives up
        pass


def _drip(client: socket.socket, over: threading.Event) -> None:
    """A byte now and then, so that it is never silent."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 300:
        client.sendall(bytes([byte]))
        if over.wait(0.1):
            return


def _endless(client: socket.socket, over: threading.Event) -> None:
    client.sendall(ENDLESS)
    while not over.wait(0.001):
        client.sendall(CHUNK)


def _answer_with(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    return lambda client, _: client.sendall(answer)


_BEHAVIOURS: dict[str, Callable[[socket.socket, threading.Event], None]] = {
    "silent": _silent,
    "drip": _drip,
    "endless": _endless,
    "garbage": _answer_with(b"\x00\xff" * 500 + b"\r\n\r\n"),
    "error": _answer_with(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
    "redirect": _answer_with(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    "no": _answer_with(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"),
    "yes": _answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
}


@contextlib.contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """Yield a running server."""
    server = HostileServer()
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield server
    finally:
        server.close()
