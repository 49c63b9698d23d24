"""The product as it is installed: a PostgreSQL, a Redis, edges and a web process, each of which may be killed.

Whatever ends, by a kill or by itself, is started again; a process that can't start yet tries until it can.
"""

import asyncio
import base64
import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.prove.log import Harmed, Log
from tests.prove.process import Process, answers_http, answers_redis
from tests.prove.redis_servers import DidNotSettle, OneServer, make_servers
from tests.servers.command import clean_environment, free_port
from tests.servers.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
PREPARE_TIMEOUT_S = 120.0
START_TIMEOUT_S = 60.0
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


class Installation:
    """All processes of it. `doors` take publishers and subscribers alike; `tree` is the product's source.

    `keeps`: see `OneServer`. Where streams are kept in another `arrangement`, one more server is cache and task queue.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Log,
        tree: Path = ROOT,
        edges: int = 3,
        arrangement: str = "single",
        keeps: str = "always",
    ) -> None:
        self._folder = folder
        self._tree = tree
        self._database_folder = folder / "postgresql"
        self._log = log
        self.streams = make_servers(arrangement, self._process, folder, keeps=keeps)
        self._cache = self.streams if arrangement == "single" else self._make_cache()
        self.redis = list(dict.fromkeys([*self.streams.processes, *self._cache.processes]))
        self.edges = [self._process(f"edge.{n}", *_edge_command()) for n in range(1, edges + 1)]
        self.web = self._process("web", *_web_command())
        self.doors = [*self.edges, self.web]
        self.processes = [*self.redis, *self.doors]
        self.realm = Realm("", "")

    def _process(self, name: str, command: list[str], port: int) -> Process:
        return Process(name, command, port, folder=self._folder, cwd=self._tree, log=self._log)

    def _make_cache(self) -> OneServer:
        folder = self._folder / "cache"
        folder.mkdir()
        return OneServer(lambda _, *how: self._process("redis.cache", *how), folder, keeps="nothing")

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
                keepers = [tasks.create_task(server.keep_running(answers_redis)) for server in self.redis]
                self.realm = await asyncio.to_thread(self._prepare, environment)
                await self._wait_until_ready(self.redis)
                await self._settle()
                keepers += [tasks.create_task(door.keep_running(answers_http)) for door in self.doors]
                await self._wait_until_ready(self.doors)
                yield
                for keeper in keepers:
                    keeper.cancel()
        finally:
            await asyncio.to_thread(database.stop)

    async def _settle(self) -> None:
        try:
            await self.streams.settle()
        except DidNotSettle as error:
            raise CannotStart(str(error)) from None

    def _environment(self, database_url: str) -> dict[str, str]:
        own = {
            "DATA_DIR": str(self._folder / "files"),
            "DATABASE_URL": database_url,
            "REDIS_URL": self._cache.url,
            "STREAMS_URL": self.streams.url,
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
        await self.streams.cut_live_connections()


def _edge_command() -> tuple[list[str], int]:
    port = free_port()
    return [sys.executable, "manage.py", "edge", "--host", "127.0.0.1", "--port", str(port)], port


def _web_command() -> tuple[list[str], int]:
    """Return the web process as deploy/Procfile starts it: plain uvicorn, which offers no prepared sinks."""
    port = free_port()
    options = ["--ws", "websockets-sansio", "--no-access-log", "--log-level", "warning"]
    command = [
        sys.executable, "-m", "uvicorn", "fanoutcloud.asgi:web", "--host", "127.0.0.1", "--port", str(port), *options,
    ]  # fmt: skip
    return command, port
