"""The product as it is installed: a PostgreSQL, a Redis, edges and a web process, each of which may be killed.

Whatever ends, by a kill or by itself, is started again; a process that can't start yet tries until it can.
"""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.prove.log import Harmed, Log
from tests.servers.command import clean_environment, free_port
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
PREPARE_TIMEOUT_S = 120.0
START_TIMEOUT_S = 60.0
PROBE_TIMEOUT_S = 2.0
PROBE_EVERY_S = 0.05
RESTART_PAUSE_S = 0.2
#: Low, so that a run sees many keep-alives; everything is kept, so that no reset can be excused.
SETTINGS = {"KEEP_ALIVE_S": "5", "HISTORY_ITEMS": "10000", "HISTORY_AGE_S": "3600", "LOG_LEVEL": "WARNING"}


class CannotStart(Exception):
    """The installation did not come up; the text says which part, with its last words."""


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm of the installation."""

    id: str
    key: str

    @property
    def authorization(self) -> str:
        """The value of the header."""
        return "Basic " + base64.b64encode(f"{self.id}:{self.key}".encode()).decode()


class Process:
    """One process that is kept running, by a task from `running`."""

    def __init__(self, name: str, command: list[str], port: int, *, folder: Path, cwd: Path, log: Log) -> None:
        self.name = name
        self.port = port
        self.output = folder / f"{name}.log"
        self.is_ready = asyncio.Event()
        self.is_stopped = False  # by SIGSTOP
        self.environment: dict[str, str] = dict(os.environ)
        self.away_s = 0.0  # how long it stays away after the next kill
        self._command = command
        self._cwd = cwd
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def keep_running(self, answers: "Probe") -> None:
        """Start it, and again whenever it has ended, until cancelled; then kill it."""
        try:
            with self.output.open("ab") as output:
                while True:
                    self._process = await asyncio.create_subprocess_exec(
                        *self._command, cwd=self._cwd, env=self.environment, stdout=output, stderr=output
                    )
                    await self._live(answers)
                    await asyncio.sleep(self.away_s or RESTART_PAUSE_S)
                    self.away_s = 0.0
        finally:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    async def _live(self, answers: "Probe") -> None:
        assert self._process is not None
        ending = asyncio.ensure_future(self._process.wait())
        try:
            while not ending.done() and not await answers(self.port):
                await asyncio.wait([ending], timeout=PROBE_EVERY_S)
            if not ending.done():
                self._log.add(Harmed(self._log.now(), self.name, "ready"))
                self.is_ready.set()
            await ending  # no deadline: that it runs on is what is wanted
            self._log.add(Harmed(self._log.now(), self.name, "ended"))
        finally:
            ending.cancel()
            self.is_ready.clear()
            self.is_stopped = False

    def kill(self, *, away_s: float) -> None:
        """End it as a crash would; it is started again after `away_s`."""
        self.away_s = away_s
        self.is_ready.clear()
        self._send(signal.SIGKILL, "killed")

    def stop(self) -> None:
        """Let it not run, as a machine that swaps or is moved."""
        self.is_stopped = True
        self._send(signal.SIGSTOP, "stopped")

    def go_on(self) -> None:
        """Let it run again; does nothing if it was killed meanwhile."""
        if self.is_stopped:
            self.is_stopped = False
            self._send(signal.SIGCONT, "continued")

    def _send(self, number: signal.Signals, what: str) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            self._log.add(Harmed(self._log.now(), self.name, what))


#: Tells whether the process on a port answers now.
Probe = Callable[[int], Awaitable[bool]]


async def answers_http(port: int) -> bool:
    """Whether a product's process answers now."""
    answer = await _ask(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return answer.startswith(b"HTTP/1.1 200")


async def answers_redis(port: int) -> bool:
    """Whether Redis answers now, its data loaded."""
    return (await _ask(port, b"PING\r\n")).startswith(b"+PONG")


async def _ask(port: int, question: bytes) -> bytes:
    writer = None
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(question)
            return await reader.read(64)
    except (OSError, TimeoutError):
        return b""
    finally:
        if writer is not None:
            writer.transport.abort()


class Installation:
    """All processes of it. `doors` take publishers and subscribers alike; `tree` is the product's source.

    `keeps`: Redis's `appendfsync`, or `nothing` for one that forgets everything when it is killed.
    """

    def __init__(self, folder: Path, *, log: Log, tree: Path = ROOT, edges: int = 3, keeps: str = "always") -> None:
        self._folder = folder
        self._tree = tree
        self._database_folder = folder / "postgresql"
        self._log = log
        self.redis = self._process("redis", self._redis_command(free_port(), keeps))
        self.edges = [self._process(f"edge.{n}", _edge_command(free_port())) for n in range(1, edges + 1)]
        self.web = self._process("web", _web_command(free_port()), cwd=tree)
        self.doors = [*self.edges, self.web]
        self.processes = [self.redis, *self.doors]
        self.realm = Realm("", "")

    def _process(self, name: str, command: list[str], cwd: Path | None = None) -> Process:
        port = int(command[command.index("--port") + 1])
        return Process(name, command, port, folder=self._folder, cwd=cwd or self._tree, log=self._log)

    def _redis_command(self, port: int, keeps: str) -> list[str]:
        data = self._folder / "redis"
        data.mkdir()
        options = ["--bind", "127.0.0.1", "--dir", str(data), "--save", "", "--maxmemory-policy", "noeviction"]
        file = ["--appendonly", "no"] if keeps == "nothing" else ["--appendonly", "yes", "--appendfsync", keeps]
        return ["redis-server", "--port", str(port), *options, *file]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run everything until the block ends; on entering, all of it answers and there is a realm."""
        self._database_folder.mkdir()
        database = PostgresServer(self._database_folder)
        try:
            await asyncio.to_thread(database.start)
            environment = self._environment(database.url)
            for process in self.processes:
                process.environment = environment | {"ROLE": "web" if process is self.web else "edge"}
            async with asyncio.TaskGroup() as tasks:
                keepers = [tasks.create_task(self.redis.keep_running(answers_redis))]
                self.realm = await asyncio.to_thread(self._prepare, environment)
                await self._wait_until_ready([self.redis])
                keepers += [tasks.create_task(door.keep_running(answers_http)) for door in self.doors]
                await self._wait_until_ready(self.doors)
                yield
                for keeper in keepers:
                    keeper.cancel()
        finally:
            await asyncio.to_thread(database.stop)

    def _environment(self, database_url: str) -> dict[str, str]:
        own = {
            "DATA_DIR": str(self._folder / "files"),
            "DATABASE_URL": database_url,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "PORT": str(self.web.port),
            "BIND": "127.0.0.1",
            "PYTHONUNBUFFERED": "1",
        }
        return clean_environment(**own, **SETTINGS)

    def _prepare(self, environment: dict[str, str]) -> Realm:
        self._manage(["migrate", "--noinput", "--verbosity", "0"], environment)
        made = json.loads(self._manage(["create_realm", "--json", "--owner", "alice@example.com"], environment))
        return Realm(made["realm"], made["key"])

    def _manage(self, words: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=self._tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PREPARE_TIMEOUT_S,
            check=False,
        )
        if done.returncode:
            raise CannotStart(f"manage.py {words[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
        return done.stdout

    async def _wait_until_ready(self, processes: list[Process]) -> None:
        for process in processes:
            try:
                async with asyncio.timeout(START_TIMEOUT_S):
                    await process.is_ready.wait()
            except TimeoutError:
                words = process.output.read_text()[-2000:] if process.output.exists() else ""
                raise CannotStart(f"{process.name} did not answer:\n{words}") from None

    async def wait_until_whole(self, timeout_s: float) -> bool:
        """Wait until every process answers; return whether they do."""
        for process in self.processes:
            process.go_on()
        try:
            async with asyncio.timeout(timeout_s):
                for process in self.processes:
                    await process.is_ready.wait()
        except TimeoutError:
            return False
        return True

    async def cut_live_connections(self) -> None:
        """Have Redis drop the connections that live items come by; those for publishing stay."""
        self._log.add(Harmed(self._log.now(), "redis", "cut off its subscribers"))
        await _ask(self.redis.port, b"CLIENT KILL TYPE pubsub\r\n")


def _edge_command(port: int) -> list[str]:
    return [sys.executable, "manage.py", "edge", "--host", "127.0.0.1", "--port", str(port)]


def _web_command(port: int) -> list[str]:
    """Return the web process as deploy/Procfile starts it: plain uvicorn, which offers no prepared sinks."""
    options = ["--ws", "websockets-sansio", "--no-access-log", "--log-level", "warning"]
    return [
        sys.executable, "-m", "uvicorn", "fanoutcloud.asgi:web", "--host", "127.0.0.1", "--port", str(port), *options,
    ]  # fmt: skip
