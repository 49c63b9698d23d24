"""A server to measure: `manage.py serve` with a data folder of its own on a free port, and a realm of its own."""

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.load.generator import NotMeasured
from tests.servers import prepared_folder
from tests.servers.command import clean_environment, free_port, started

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0


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
        return self.publish(json.dumps({"items": contents}).encode())

    @property
    def credential(self) -> dict[str, str]:
        """The header that opens the realm's API."""
        return {"Authorization": f"Basic {base64.b64encode(f'{self.realm}:{self.key}'.encode()).decode()}"}

    def publish(self, body: bytes) -> bytes:
        """Return a publish with this body."""
        head = [
            f"POST /realm/{self.realm}/publish/ HTTP/1.1",
            f"Host: localhost:{self.port}",
            *(f"{name}: {value}" for name, value in self.credential.items()),
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

    def loop_cpu_s(self) -> float:
        """Return how much of it the event loop's thread has used, without what goes on beside it."""
        nanoseconds = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[0]
        return int(nanoseconds) / 1e9


WEBSOCKET_LINES = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: ZmFuYmVuY2gtZmFuYmVuYw==",
)


@contextlib.contextmanager
def running_server(folder: Path, *, port: int = 0, **variables: str) -> Iterator[Server]:
    """Serve until the block ends, however it ends, on a free port if none is given; `variables` are settings."""
    port = port or free_port()
    own = {"DATA_DIR": str(folder / "data"), "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    environment = clean_environment(**own, **variables)
    prepared_folder.fill(folder / "data", environment)
    with started([sys.executable, "manage.py", "serve"], folder=ROOT, environment=environment) as command:
        try:
            command.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)
        except AssertionError as problem:
            raise NotMeasured(f"The server did not start: {problem}") from problem
        realm = create_realm(environment)
        yield Server(port, command.process.pid, realm["realm"], realm["key"])


def create_realm(variables: dict[str, str]) -> dict[str, str]:
    """Make a realm in the data folder of the running server."""
    command = [sys.executable, "manage.py", "create_realm", "--owner", "alice@example.com", "--json"]
    made = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    if made.returncode:
        raise NotMeasured(f"No realm could be made:\n{made.stderr}")
    described: dict[str, str] = json.loads(made.stdout)
    return described
