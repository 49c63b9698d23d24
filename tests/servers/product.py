"""The real product for tests: `manage.py serve` as its own process on a free port, with a data directory of its own.

Asked for by name like any fixture; shared by all tests of a module or a folder, so each test takes a realm of its own.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers import lifeline, prepared_folder
from tests.servers.command import free_port

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0  # two busy cores: migrations and static files are done first
STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class ProductRealm:
    """A realm of a running product, as `manage.py create_realm --json` describes it."""

    realm: str
    key: str
    api: str
    site: str
    grip_url: str

    @property
    def auth(self) -> tuple[str, str]:
        """User and password of HTTP Basic."""
        return (self.realm, self.key)


class Product:
    """One running `manage.py serve`. What it prints is kept in `log`."""

    command = "serve"

    def __init__(self, data_dir: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.data_dir = data_dir
        self.log = data_dir / "serve.log"
        self._environment = _clean_environment() | {
            "DATA_DIR": str(data_dir),
            "PORT": str(self.port),
            "PROBES": "false",  # what a test counts is its own
            **(environment or {}),
        }
        self._process: subprocess.Popen[str] | None = None
        self._printed: queue.Queue[str] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a process beside it, such as one of `manage.py`."""
        return dict(self._environment)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started, and has not ended since, in whatever way."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; returns once it says that it is ready."""
        prepared_folder.fill(self.data_dir, self._environment)
        with self.log.open("w") as log:
            self._process = lifeline.start(
                [sys.executable, "manage.py", self.command],
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._printed = queue.Queue()  # a process before this one may have left its end in the old one
        threading.Thread(target=_read_output, args=(self._process, self._printed), daemon=True).start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while (line := self._next_line(deadline)) is not None:
            if line.startswith("ready: "):
                return
        self.kill()
        pytest.fail(f"manage.py serve did not become ready:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End it as an operator does; fails the test when it does not end well."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.fail(f"manage.py serve did not end within {STOP_TIMEOUT_S:.0f} s:\n{self.log.read_text()}")
        if status != 0:
            pytest.fail(f"manage.py serve ended with status {status}:\n{self.log.read_text()}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def create_realm(self, owner: str = "alice@example.com") -> ProductRealm:
        """Return a new realm of `owner`, made by another process, as scripts do it."""
        return self.create_realms(owner)[0]

    def create_realms(self, *owners: str) -> list[ProductRealm]:
        """Return a new realm for each owner; one process makes them all, since starting it takes a second."""
        return [ProductRealm(**json.loads(line)) for line in self.run_python(_CREATE_REALMS, *owners).splitlines()]

    def run_python(self, code: str, *arguments: str) -> str:
        """Run code beside the product, on its database, and return what it prints. Nothing is announced."""
        return run_python(code, *arguments, environment=self._environment)

    def _next_line(self, deadline: float) -> str | None:
        """Return the next line that it prints, or None if it has ended or time is up."""
        try:
            return self._printed.get(timeout=max(0.0, deadline - time.monotonic())) or None
        except queue.Empty:
            return None


def run_python(code: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """Run code in a process of its own, with the product's Django set up; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", _SET_UP + code, *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=START_TIMEOUT_S,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


def _read_output(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    assert process.stdout is not None
    with process.stdout as printed:
        for line in printed:
            lines.put(line)
    lines.put("")


_SET_UP = """
import json, os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
import django
django.setup()
"""
_CREATE_REALMS = """
from django.core.management import call_command
for owner in sys.argv[1:]:
    call_command("create_realm", "--json", "--owner", owner)
"""


def _clean_environment() -> dict[str, str]:
    """Return this process's environment without what configures a product."""
    ours = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DATA_DIR", "PORT", "PUBLIC_URL", "EDGE_DOMAIN")
    return {name: value for name, value in os.environ.items() if name not in ours}


@contextmanager
def running_product(folder: Path, **environment: str) -> Iterator[Product]:
    """Run the product with everything in one process; it has to end well. Settings are its variables."""
    product = Product(folder, environment=environment)
    try:
        product.start()
        yield product
        product.stop()
    finally:
        product.kill()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, one for the module."""
    with running_product(tmp_path_factory.mktemp("product")) as product:
        yield product


@pytest.fixture(scope="package", name="product")
def product_of_the_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product, one for the folder: for those whose tests look at their own realms only."""
    with running_product(tmp_path_factory.mktemp("product")) as product:
        yield product
