"""A real HTTP proxy (proxy.py, or tinyproxy where it is installed) as a program of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.servers import lifeline
from tests.servers.command import free_port

PATIENCE_S = 30.0


@contextmanager
def running_proxy_py(folder: Path, *options: str) -> Iterator[int]:
    """Yield the port of proxy.py."""
    port_file = folder / "port"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port_file)]
    command += ["--num-workers", "1", "--num-acceptors", "1", "--data-dir", str(folder), *options]
    with _running(command):
        deadline = time.monotonic() + PATIENCE_S
        while not (port_file.exists() and port_file.read_text().strip()):
            assert time.monotonic() < deadline, "proxy.py names no port"
            time.sleep(0.02)
        yield int(port_file.read_text())


def find_tinyproxy() -> str | None:
    return shutil.which("tinyproxy")


@contextmanager
def running_tinyproxy(folder: Path, *lines: str) -> Iterator[int]:
    """Yield the port of tinyproxy, with more lines of configuration."""
    program = find_tinyproxy()
    assert program is not None
    port = free_port()
    config = folder / "tinyproxy.conf"
    config.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "Allow 127.0.0.1", *lines, ""]))
    with _running([program, "-d", "-c", str(config)]):
        _wait_until_listening(port)
        yield port


def _wait_until_listening(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "nothing listens"
            time.sleep(0.02)


@contextmanager
def _running(command: Sequence[str]) -> Iterator[None]:
    process = lifeline.start(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # proxy.py has children
        process.wait()
