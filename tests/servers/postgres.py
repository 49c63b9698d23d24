"""A real PostgreSQL for tests: on a free port of the loopback interface, in a directory that ends with the tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.servers import lifeline
from tests.servers.command import free_port

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class PostgresServer:
    """One throwaway PostgreSQL; `directory` must be empty and is left to the caller to remove.

    Where it `keeps_commits`, it may be killed and started again without losing any.
    """

    def __init__(self, directory: Path, *, keeps_commits: bool = False) -> None:
        self._keeps_commits = keeps_commits
        self.port = free_port()
        self._data = directory / "data"
        self._log = directory / "postgres.log"
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://fanout@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Return the process that all others of the server are children of."""
        assert self._process is not None, "it runs"
        return self._process.pid

    @property
    def django_settings(self) -> dict[str, Any]:
        """What goes into `DATABASES`."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "USER": "fanout",
            "NAME": "postgres",
            "OPTIONS": {"connect_timeout": 5},
        }

    def start(self) -> None:
        """Make a cluster and start the server; returns when it answers."""
        initdb = ["initdb", "--auth=trust", "--no-sync", "--username=fanout", "--encoding=UTF8", "--locale=C"]
        with self._log.open("wb") as log:
            made = subprocess.run(
                [_binary(initdb[0]), *initdb[1:], str(self._data)], stdout=log, stderr=log, **self._as_user()
            )
        if made.returncode == 0:
            self._run()
        self._wait_until_it_answers()

    def kill(self) -> None:
        """End the server as a crash would; its children end when they notice."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Start a server that was killed; returns when it answers. Tries again while children of the dead one live."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self._run()
            if self._answers_before(deadline):
                return
        pytest.exit(f"PostgreSQL did not start again:\n{self._log.read_text()[-2000:]}", returncode=3)

    def _run(self) -> None:
        with self._log.open("ab") as log:
            self._process = lifeline.start(self._server_command(), stdout=log, stderr=log, **self._as_user())

    def stop(self) -> None:
        """End the server at once; its data is not needed any more."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)  # "immediate": ends its children too
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _server_command(self) -> list[str]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "synchronous_commit": "on" if self._keeps_commits else "off",
            "max_connections": 100,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [_binary("postgres"), "-D", str(self._data), *settings]

    def _as_user(self) -> dict[str, Any]:
        """Return who runs the server, as arguments of `Popen`: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return {}
        account = _find_account("postgres", "nobody")
        os.chown(self._directory, account.pw_uid, account.pw_gid)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": self._directory}

    def _wait_until_it_answers(self) -> None:
        if self._answers_before(time.monotonic() + START_TIMEOUT_S):
            return
        self.stop()
        pytest.exit(f"PostgreSQL did not start:\n{self._log.read_text()}", returncode=3)

    def _answers_before(self, deadline: float) -> bool:
        """Return whether the server answers; False when it has ended, or at the deadline."""
        while self._process and self._process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)
            else:
                return True
        return False


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL until the block ends, however it ends."""
    directory = Path(tempfile.mkdtemp(prefix="fanout-postgres-"))
    server = PostgresServer(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The PostgreSQL that all tests of the session share."""
    with running_postgres() as server:
        yield server


def _binary(name: str) -> str:
    # Debian keeps the server's programs out of PATH, one directory per version.
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for directory in [None, *map(str, places)]:
        if (found := shutil.which(name, path=directory)) is not None:
            return found
    pytest.exit(f"{name} of PostgreSQL is not installed; `make test` installs what the tests need", returncode=3)


def _version(bin_directory: Path) -> float:
    try:
        return float(bin_directory.parent.name)
    except ValueError:
        return 0.0


def _find_account(*names: str) -> pwd.struct_passwd:
    for name in names:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.exit("PostgreSQL can't run as root, and there is no user postgres or nobody", returncode=3)
