"""A command of the README as a person runs it: its output line by line, Ctrl-C, and how it ended."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.servers import lifeline

#: What would make another server of it; a test run sets some of these.
UNWANTED = {
    "BIND",
    "DATABASE_URL",
    "DATA_DIR",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "EDGE_DOMAIN",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "PORT",
    "PUBLIC_URL",
    "PYTHONASYNCIODEBUG",
    "REDIS_URL",
    "ROLE",
    "SEALING_KEYS",
    "SECRET_KEY",
}


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what a test run or an outer make left in it, plus `variables`."""
    return {name: value for name, value in os.environ.items() if name not in UNWANTED} | variables


class Command:
    """A started command; `output` is what it has said up to now."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.output = ""

    def wait_for_line(self, start: str, *, timeout_s: float) -> str:
        """Return the first line that begins with `start`; fail with the whole output if it does not come."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [
                line for line in self.output.splitlines(keepends=True) if line.startswith(start) and line[-1] == "\n"
            ]
            if found:
                return found[0].strip()
            if not self._read(deadline):
                raise AssertionError(f"no line {start!r} within {timeout_s} s:\n{self.output}")

    def wait_for_text(self, text: str, *, timeout_s: float) -> None:
        """Return when `text` was said anywhere; fail with the whole output if it is not."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            if not self._read(deadline):
                raise AssertionError(f"no {text!r} within {timeout_s} s:\n{self.output}")

    def interrupt(self) -> None:
        """Do what Ctrl-C does in a terminal: SIGINT to all of the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def terminate_child(self) -> None:
        """Send SIGTERM to what make has become, as a supervisor of that process does."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        os.kill(int(task.read_text().split()[0]), signal.SIGTERM)

    def wait_for_end(self, *, timeout_s: float) -> int:
        """Return the exit status; `output` is complete then."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        return self.process.wait(max(0.1, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        assert self.process.stdout is not None
        poll = select.poll()  # `select` knows no descriptors above 1023, and some tests hold thousands
        poll.register(self.process.stdout, select.POLLIN)
        readable = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        chunk = os.read(self.process.stdout.fileno(), 65_536) if readable else b""
        self.output += chunk.decode(errors="replace")
        return bool(chunk)


@contextlib.contextmanager
def started(words: Sequence[str | Path], *, folder: Path, environment: Mapping[str, str]) -> Iterator[Command]:
    """Run a command in a process group of its own; whatever is left of it at the end of the block is killed."""
    with lifeline.start(
        words,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield Command(process)
        finally:
            if process.poll() is None:
                process.terminate()  # make and the cluster pass it on
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(15.0)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
