"""A server to measure: `manage.py serve` with an empty data folder on a free port, and a realm of its own."""

import base64
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.load.generator import NotMeasured

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
# What a shell or a test run may hold that makes another server of it.
UNWANTED = {
    "BIND",
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "EDGE_DOMAIN",
    "PUBLIC_URL",
    "PYTHONASYNCIODEBUG",
    "REDIS_URL",
    "ROLE",
    "SEALING_KEYS",
    "SECRET_KEY",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server and the realm made on it."""

    port: int
    pid: int
    realm: str
    key: str

    def subscribe_request(self, transport: str, channel: str) -> bytes:
        """Return what a subscriber sends: `websocket` or `sse`."""
        path, lines = {
            "websocket": ("ws", [*WEBSOCKET_LINES]),
            "sse": ("sse", ["Accept: text/event-stream"]),
        }[transport]
        first = f"GET /r/{self.realm}/fanout/{path}?channel={channel} HTTP/1.1"
        return "\r\n".join([first, f"Host: localhost:{self.port}", *lines, "", ""]).encode()

    def publish_request(self, channel: str, items: int) -> bytes:
        """Return a publish of items that each hold the generator's marker."""
        contents = [{"channel": channel, "json-object": {"n": "fanbench000000", "i": i}} for i in range(items)]
        body = json.dumps({"items": contents}).encode()
        credential = base64.b64encode(f"{self.realm}:{self.key}".encode()).decode()
        head = [
            f"POST /realm/{self.realm}/publish/ HTTP/1.1",
            f"Host: localhost:{self.port}",
            f"Authorization: Basic {credential}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    def resident_bytes(self) -> int:
        """Return how much memory the process has now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise NotMeasured("The server's process is gone")

    def cpu_s(self) -> float:
        """Return how much processor time the process has used up to now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


WEBSOCKET_LINES = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: ZmFuYmVuY2gtZmFuYmVuYw==",
)


@contextlib.contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Serve until the block ends, however it ends."""
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    variables |= {"DATA_DIR": str(folder / "data"), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    log = folder / "server.log"
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            wait_for_ready(process, log)
            realm = create_realm(variables)
            yield Server(port, process.pid, realm["realm"], realm["key"])
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for_ready(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return when the server has said that it serves."""
    assert process.stdout is not None
    deadline, said = time.monotonic() + START_TIMEOUT_S, b""
    while b"ready: " not in said:
        readable, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(process.stdout.fileno(), 4096) if readable else b""
        if not chunk:
            raise NotMeasured(f"The server did not start:\n{said.decode()}{log.read_text()}")
        said += chunk


def create_realm(variables: dict[str, str]) -> dict[str, str]:
    """Make a realm in the data folder of the running server."""
    command = [sys.executable, "manage.py", "create_realm", "--owner", "alice@example.com", "--json"]
    made = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NotMeasured(f"No realm could be made:\n{made.stderr}")
    described: dict[str, str] = json.loads(made.stdout)
    return described


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
