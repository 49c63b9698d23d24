"""Other push servers to measure beside ours: Nchan in nginx, and Pushpin. Debian's packages; each skipped if absent.

Each runs as a throwaway of its own on free ports, with one worker and its own limits lifted. Neither checks a
credential, numbers items for resuming, or stores more than a message; ours does all that in the same run.
"""

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.generator import Load, NotMeasured
from tests.load.server import WEBSOCKET_LINES
from tests.servers.command import free_port

MARKER = "fanbench000000"
START_TIMEOUT_S = 30.0
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
PUSHPIN_SETTINGS = Path("/etc/pushpin/pushpin.conf")
PUSHPIN_INTERNALS = Path("/usr/lib/pushpin/internal.conf")
ZURL_SETTINGS = Path("/etc/zurl.conf")
ORIGIN = Path(__file__).with_name("pushpin_origin.py")


class NotInstalled(Exception):
    """The peer is not on this machine; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A running peer: where to subscribe and publish, and the processes whose memory and time are its own."""

    name: str
    pids: Sequence[int]
    loads: dict[str, Load]

    def load(self, transport: str, *, subscribers: int, rounds: int) -> Load:
        """Return the load for one of its transports."""
        load = self.loads[transport]
        return Load(
            port=load.port,
            publish_port=load.publish_port,
            subscribers=subscribers,
            request=load.request,
            ready=load.ready,
            publish=load.publish,
            rounds=rounds,
            connects_at_once=load.connects_at_once,
        )

    def resident_bytes(self) -> int:
        """Return how much memory its processes have now."""
        return sum(resident_bytes(pid) for pid in self.pids)


def resident_bytes(pid: int) -> int:
    """Return how much memory a process has now; 0: it is gone."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _request(method: str, path: str, *lines: str, body: str = "") -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, *length, "", body]).encode()


def _subscriptions(port: int, publish_port: int, publish: bytes, *, ready: str, at_once: int) -> dict[str, Load]:
    """Return the loads for peers that serve both transports under one address."""
    requests = {
        "websocket": _request("GET", "/ws", *WEBSOCKET_LINES),
        "sse": _request("GET", "/sse", "Accept: text/event-stream"),
    }
    return {
        transport: Load(
            port=port,
            publish_port=publish_port,
            subscribers=0,
            request=request,
            ready=ready,
            publish=publish,
            connects_at_once=at_once,
        )
        for transport, request in requests.items()
    }


@contextlib.contextmanager
def running_nchan(folder: Path) -> Iterator[Peer]:
    """Run nginx with Nchan until the block ends."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None or not NCHAN_MODULE.exists():
        raise NotInstalled("Nchan: apt-get install nginx-light libnginx-mod-nchan")
    port = free_port()
    settings = folder / "nginx.conf"
    settings.write_text(NCHAN_SETTINGS.format(module=NCHAN_MODULE, folder=folder, port=port))
    with _started([nginx, "-p", folder, "-c", settings], folder) as process:
        _wait_for_port(port, process, folder)
        worker = _children(process.pid)
        publish = _request("POST", "/publish", body=MARKER)
        yield Peer("Nchan", worker, _subscriptions(port, port, publish, ready="", at_once=256))


NCHAN_SETTINGS = """
load_module {module};
daemon off; worker_processes 1; worker_rlimit_nofile 19900; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 19000; }}
http {{
  access_log off; nchan_shared_memory_size 256M;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /ws {{ nchan_subscriber websocket; nchan_channel_id g; nchan_subscriber_first_message newest; }}
    location = /sse {{ nchan_subscriber eventsource; nchan_channel_id g; nchan_subscriber_first_message newest; }}
    location = /publish {{ nchan_publisher; nchan_channel_id g; nchan_message_buffer_length 1; }}
  }}
}}
"""


@contextlib.contextmanager
def running_pushpin(folder: Path) -> Iterator[Peer]:
    """Run Pushpin, the zurl that it needs, and an origin that holds everybody, until the block ends."""
    with contextlib.ExitStack() as stack:
        origin_port = stack.enter_context(running_origin(folder))
        port, publish_port, pid = stack.enter_context(running_pushpin_before(origin_port, folder))
        yield Peer("Pushpin", _children(pid), pushpin_loads(port, publish_port))


def pushpin_loads(port: int, publish_port: int) -> dict[str, Load]:
    """Return the loads for Pushpin before `running_origin`."""
    item = f'{{"channel":"g","formats":{{"http-stream":{{"content":"data: {MARKER}\\n\\n"}},'
    item += f'"ws-message":{{"content":"{MARKER}"}}}}}}'
    publish = _request("POST", "/publish/", "Content-Type: application/json", body=f'{{"items":[{item}]}}')
    return _subscriptions(port, publish_port, publish, ready="held", at_once=50)


@contextlib.contextmanager
def running_origin(folder: Path) -> Iterator[int]:
    """Run an origin that holds everybody; give its port."""
    port = free_port()
    with _started([sys.executable, ORIGIN, port], folder) as process:
        _wait_for_port(port, process, folder)
        yield port


@contextlib.contextmanager
def running_pushpin_before(origin_port: int, folder: Path) -> Iterator[tuple[int, int, int]]:
    """Run Pushpin and zurl before an origin of the caller's; give the ports for clients and publishers, and its pid."""
    pushpin, zurl = shutil.which("pushpin"), shutil.which("zurl")
    if pushpin is None or zurl is None:
        raise NotInstalled("Pushpin: apt-get install pushpin zurl")
    port = free_port()
    offset = _free_offset()
    _write_pushpin_settings(folder, port=port, offset=offset, origin_port=origin_port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_started([zurl, f"--config={folder / 'zurl.conf'}"], folder))
        process = stack.enter_context(_started([pushpin, f"--config={folder / 'pushpin.conf'}"], folder))
        _wait_for_port(port, process, folder)
        _wait_for_port(5561 + offset, process, folder)
        yield port, 5561 + offset, process.pid


def _write_pushpin_settings(folder: Path, *, port: int, offset: int, origin_port: int) -> None:
    """Copy Debian's settings with sockets of our own, and its limits on messages lifted."""
    zurl_sockets = ("ipc:///var/run/zurl/", f"ipc://{folder}/")
    internals = PUSHPIN_INTERNALS.read_text().replace(*zurl_sockets)
    (folder / "internal.conf").write_text(internals)
    (folder / "zurl.conf").write_text(ZURL_SETTINGS.read_text().replace(*zurl_sockets))
    (folder / "routes").write_text(f"* 127.0.0.1:{origin_port},over_http\n")
    wanted = {
        "include": folder / "internal.conf",
        "rundir": folder,
        "logdir": folder,
        "routesfile": folder / "routes",
        "ipc_prefix": "bench-",
        "port_offset": offset,
        "http_port": f"127.0.0.1:{port}",
        "client_maxconn": 19_000,
        "message_rate": 10_000_000,
        "message_hwm": 10_000_000,
    }
    settings = PUSHPIN_SETTINGS.read_text()
    for name, value in wanted.items():
        settings = re.sub(rf"^{name}=.*$", f"{name}={value}", settings, flags=re.MULTILINE)
    (folder / "pushpin.conf").write_text(settings)


def _free_offset() -> int:
    """Return a port offset under which Pushpin's five ports from 5560 on are free.

    They lie below those that the system gives to anybody who asks for a free one.
    """
    for _ in range(100):
        base = random.randrange(12_000, 30_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as taken:
            for port in range(base, base + 5):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            return base - 5560
    raise NotMeasured("five free ports in a row were not found in 100 tries")


@contextlib.contextmanager
def _started(words: Sequence[object], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program with its output in the folder until the block ends."""
    log = folder / f"{Path(str(words[0])).name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in words], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    """Return the process's children, or itself if it has none."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found] or [pid]


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait until something accepts on the port."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    name = Path(str(process.args[0])).name  # type: ignore[index]
    said = "".join(log.read_text(errors="replace")[-600:] for log in sorted(folder.glob("*.log")))
    raise NotMeasured(f"{name} did not open port {port} (its status: {process.poll()}):\n{said}")


def make_folder(parent: Path, name: str) -> Path:
    """Return a new folder that a peer's worker of another user may write to."""
    folder = parent / name
    folder.mkdir()
    os.chmod(parent, 0o755)
    os.chmod(folder, 0o777)
    return folder
