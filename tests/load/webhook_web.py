"""A web process beside a backlog of webhooks: whether it stays ready, how soon it says so, what it holds in memory."""

import logging
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.load.peers import resident_bytes
from tests.load.server import ROOT
from tests.servers import lifeline
from tests.servers.command import free_port
from tests.servers.redis import RedisServer

START_TIMEOUT_S = 60.0
ASK_EVERY_S = 0.1
SEALING_KEYS = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@dataclass
class WatchedWeb:
    """What was seen of it: how long each answer of `/readyz` took, and which were not 200."""

    pid: int
    port: int
    took_ms: list[float] = field(default_factory=list)
    not_ready: list[str] = field(default_factory=list)

    def is_ready(self, client: httpx.Client) -> bool:
        """Ask once, and keep what it said."""
        began = time.perf_counter()
        try:
            answer = client.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.HTTPError as error:
            self.not_ready.append(type(error).__name__)
            return False
        self.took_ms.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            self.not_ready.append(answer.text[:200])
        return answer.status_code == 200

    @property
    def memory_mb(self) -> float:
        """Return what it holds now."""
        return resident_bytes(self.pid) / 1024**2


@contextmanager
def running_web(folder: Path, environment: Mapping[str, str]) -> Iterator[WatchedWeb]:
    """Yield a web process that is ready, and is asked whether it is again and again."""
    (folder / "redis").mkdir()
    redis = RedisServer(folder / "redis")
    redis.start()
    own = {"REDIS_URL": redis.url, "SECRET_KEY": secrets.token_urlsafe(50), "SEALING_KEYS": SEALING_KEYS}
    port, is_over = free_port(), threading.Event()
    command = [sys.executable, "manage.py", "web", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "web.log").open("wb") as log:
        process = lifeline.start(command, cwd=ROOT, env={**environment, **own}, stdout=log, stderr=log)
    web = WatchedWeb(process.pid, port)
    asking = threading.Thread(target=_ask, args=(web, is_over), daemon=True)
    try:
        _wait_until_ready(web)
        asking.start()
        yield web
    finally:
        is_over.set()
        process.terminate()
        process.wait()
        redis.kill()


def _ask(web: WatchedWeb, is_over: threading.Event) -> None:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line for each answer
    with httpx.Client(trust_env=False, timeout=10) as client:
        while not is_over.wait(ASK_EVERY_S):
            web.is_ready(client)


def _wait_until_ready(web: WatchedWeb) -> None:
    ends_at = time.monotonic() + START_TIMEOUT_S
    with httpx.Client(trust_env=False, timeout=10) as client:
        while not web.is_ready(client):
            if time.monotonic() > ends_at:
                raise SystemExit(f"the web process did not become ready: {web.not_ready[-1]}")
            time.sleep(0.2)
    web.took_ms.clear()
    web.not_ready.clear()
