"""Customers' applications behind a realm's domain: each runs as a process of its own, unmodified libraries in it."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers import lifeline
from tests.servers.command import free_port
from tests.servers.product import Product, ProductRealm

APPS = Path(__file__).with_name("apps")
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Application:
    """A running application. Clients reach it at `site`, browsers at `page`, a host that only they know; it listens
    at `url` itself.
    """

    site: str
    page: str
    url: str

    @property
    def websocket(self) -> str:
        return self.site.replace("http://", "ws://")

    def post(self, path: str, text: str) -> None:
        """Have the application do something, without the edge."""
        answer = httpx.post(f"{self.url}{path}", content=text.encode(), timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text


@contextlib.contextmanager
def run_application(
    product: Product, realm: ProductRealm, words: list[str | Path], *more: str, cwd: Path | None = None
) -> Iterator[Application]:
    """Run a program with a free port as its argument, and make it the origin of the realm's own domain."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO")}
    environment |= {"GRIP_URL": realm.grip_url, "NO_PROXY": "localhost,127.0.0.1", "PYTHONASYNCIODEBUG": ""}
    command = [*words, str(port), *more]
    process = lifeline.start(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd
    )
    said: list[str] = []
    reader = threading.Thread(target=_listen, args=(process, said), daemon=True)
    reader.start()
    try:
        _wait_for_port(process, port, said)
        _lead_to(product, realm, port)
        page = f"http://{realm.realm}.localhost:{product.port}/"
        yield Application(f"{product.url}/r/{realm.realm}", page, f"http://127.0.0.1:{port}")
        assert process.poll() is None, "".join(said)
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


def python_app(name: str) -> list[str | Path]:
    return [sys.executable, APPS / name]


def _listen(process: "subprocess.Popen[str]", said: list[str]) -> None:
    assert process.stdout is not None
    said.extend(process.stdout)


def _wait_for_port(process: "subprocess.Popen[str]", port: int, said: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"the application did not listen:\n{''.join(said)}")


def _lead_to(product: Product, realm: ProductRealm, port: int) -> None:
    answer = httpx.post(
        f"{product.url}/realm/{realm.realm}/http/default/",
        data={"host": "127.0.0.1", "port": str(port)},
        auth=realm.auth,
    )
    assert answer.status_code == 200, answer.text


class Stream:
    """A streamed response, read by the line in a thread of its own."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.lines: list[str] = []
        self.status = 0
        self._changed = threading.Condition()
        self._is_over = False
        self._client = httpx.Client(timeout=httpx.Timeout(PATIENCE_S, read=60.0))
        self._request = self._client.stream("GET", url, headers=headers)
        self._response = self._request.__enter__()
        self.status = self._response.status_code
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for line in self._response.iter_lines():
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        except (httpx.HTTPError, httpx.StreamError):
            pass
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def until(self, line: str) -> list[str]:
        """Return all lines once one of them is `line`."""
        with self._changed:
            assert self._changed.wait_for(lambda: line in self.lines or self._is_over, PATIENCE_S), self.lines
            assert line in self.lines, self.lines
            return list(self.lines)

    def close(self) -> None:
        connection: socket.socket = self._response.extensions["network_stream"].get_extra_info("socket")
        with contextlib.suppress(OSError):  # it may have ended by itself
            connection.shutdown(socket.SHUT_RDWR)  # which wakes the thread that reads; closing would not
        self._thread.join(PATIENCE_S)
        self._client.close()


@contextlib.contextmanager
def streaming(url: str, **headers: str) -> Iterator[Stream]:
    """Read a streamed response until the block ends."""
    stream = Stream(url, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        yield stream
    finally:
        stream.close()
