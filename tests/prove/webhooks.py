"""`make prove-webhooks`: kills processes while webhooks run, and proves that nothing acknowledged is lost.

An installation of PostgreSQL, Redis (both keep everything), a web process and two workers, each of which is killed at
random; a publisher that repeats what was not acknowledged; a receiver that fails, hangs and resets. Every event has to
arrive at both endpoints, at the ordered one in order per channel, and no row may be left waiting. Exit status 0 if so,
1 if not.
"""

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.servers import lifeline
from tests.servers.command import clean_environment, free_port
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tests.servers.webhook_sink import Answer, Behaviour, Received, WebhookSink, running_sink

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 90.0
CHANNELS = 5
ITEMS_PER_PUBLISH = 10
#: A worker that was killed has its rows found again after a lease: 15 s more than the endpoints' second.
SETTLE_TIMEOUT_S = 150.0
#: Whom it may hit, workers more often than others.
VICTIMS = ("worker-1", "postgres", "worker-2", "redis", "web", "worker-1", "worker-2")
SETTINGS = {"WEBHOOK_DELAY_FACTOR": "0.001", "ALLOWED_TARGETS": "127.0.0.0/8", "LOG_LEVEL": "WARNING"}

_PREPARE = """
import json, sys, django
django.setup()
from accounts.models import User
from publishing.webhooks.endpoints import create_endpoint
from realms.services import create_realm
created = create_realm(owner=User.objects.create_user("prover@example.com", "correct horse battery"))
for path, is_ordered in (("/any", False), ("/ordered", True)):
    create_endpoint(realm=created.realm, url=sys.argv[1] + path, is_ordered=is_ordered, timeout_s=1)
print(json.dumps([created.realm.pk, created.secret]))
"""
_LEFT = """
import django
django.setup()
from publishing.models import WebhookDelivery
print(WebhookDelivery.objects.exclude(state="delivered").count())
"""


@dataclass
class Installation:
    """Its processes, each of which is started again when it has ended."""

    environment: dict[str, str]
    folder: Path
    postgres: PostgresServer
    redis: RedisServer
    port: int = field(default_factory=free_port)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start `web`, or a worker."""
        celery = [str(Path(sys.executable).with_name("celery")), "--quiet", "--app", "fanoutcloud", "worker"]
        command = [*celery, "--concurrency", "1", "--loglevel", "WARNING", "--hostname", f"{name}@%h"]
        if name == "web":
            command = [sys.executable, "manage.py", "web", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = lifeline.start(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str) -> None:
        """End a process, with those that it started, as a crash of the machine would, and start it again."""
        if name == "redis":
            self.redis.kill()
            self.redis.start()
        elif name == "postgres":
            self.postgres.kill()
            self.postgres.restart()
        else:
            self._kill_own(name)

    def _kill_own(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, 9)
        self.processes[name].wait()
        self.start(name)

    def end(self) -> None:
        """End all."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()

    def run(self, code: str, *arguments: str) -> str:
        """Run code beside the product and return what it prints."""
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True)
        return done.stdout


@contextmanager
def running_installation() -> Iterator[Installation]:
    """Yield an installation that is up, without a realm."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanout-prove-webhooks-")))
        for name in ("postgres", "redis", "data"):
            (folder / name).mkdir()
        folder.chmod(0o755)
        postgres = PostgresServer(folder / "postgres", keeps_commits=True)
        postgres.start()
        stack.callback(postgres.stop)
        redis = RedisServer(folder / "redis", options=["--appendonly", "yes", "--appendfsync", "always"])
        redis.start()
        stack.callback(redis.kill)
        environment = clean_environment() | SETTINGS | {
            "DATABASE_URL": postgres.url,
            "REDIS_URL": redis.url,
            "DATA_DIR": str(folder / "data"),
            "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings",
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SEALING_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        }  # fmt: skip
        installation = Installation(environment, folder, postgres, redis)
        subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=ROOT, env=environment, check=True)
        stack.callback(installation.end)
        yield installation


class Publisher(threading.Thread):
    """Publishes numbers to channels in turn, over so many seconds; repeats under the same ids until acknowledged."""

    def __init__(self, port: int, realm: str, key: str, count: int, *, seconds: float) -> None:
        super().__init__(daemon=True)
        self._pause_s = seconds / max(1, count / ITEMS_PER_PUBLISH)
        self._url = f"http://127.0.0.1:{port}/realm/{realm}/publish/"
        self._auth = (realm, key)
        self._count = count
        self.acknowledged: set[tuple[str, int]] = set()
        self.repeats = 0

    def run(self) -> None:
        with httpx.Client(auth=self._auth, timeout=5, trust_env=False, verify=False) as client:
            for first in range(0, self._count // CHANNELS, ITEMS_PER_PUBLISH):
                for number in range(CHANNELS):
                    self._publish(client, f"channel-{number}", range(first, first + ITEMS_PER_PUBLISH))
                    time.sleep(self._pause_s)

    def _publish(self, client: httpx.Client, channel: str, numbers: range) -> None:
        items = [{"channel": channel, "id": f"{n}", "json-object": {"c": channel, "n": n}} for n in numbers]
        while True:
            with suppress(httpx.HTTPError):
                if client.post(self._url, json={"items": items}).status_code == 200:
                    self.acknowledged |= {(channel, n) for n in numbers}
                    return
            self.repeats += 1
            time.sleep(0.1)


def choose_victims(kills: int, chance: random.Random) -> list[str]:
    """Return who is killed, one after the other: everybody, where there are enough kills."""
    victims = [VICTIMS[number % len(VICTIMS)] for number in range(kills)]
    chance.shuffle(victims)
    return victims


def misbehave(chance: random.Random) -> Behaviour:
    """Return a receiver that fails, hangs and resets, each event twice at most."""

    def behave(request: Received) -> Answer:
        if request.seen >= 2 or chance.random() < 0.8:
            return 200
        return chance.choice([500, 503, 429, "hang", "reset"])

    return behave


def arrivals(sink: WebhookSink, path: str) -> list[tuple[str, int]]:
    """Return what has arrived at a path, in order, with repetitions."""
    items = [json.loads(one.body)["data"]["items"][0]["data"] for one in sink.of(path)]
    return [(item["c"], item["n"]) for item in items]


def find_faults(sink: WebhookSink, acknowledged: set[tuple[str, int]], left: int) -> list[str]:
    """Return what was promised and did not happen."""
    faults = []
    for path in ("/any", "/ordered"):
        missing = acknowledged - set(arrivals(sink, path))
        if missing:
            faults.append(f"{path}: {len(missing)} acknowledged items never arrived, such as {sorted(missing)[:3]}")
    newest: dict[str, int] = {}
    for channel, number in arrivals(sink, "/ordered"):
        if number > newest.get(channel, -1) + 1:
            faults.append(f"/ordered: {channel} got {number} after {newest.get(channel, -1)}")
        newest[channel] = max(number, newest.get(channel, -1))
    if left:
        faults.append(f"{left} deliveries are not delivered")
    return faults


def prove(*, events: int, kills: int, seconds: float, seed: int) -> int:
    """Run once; return the exit status."""
    chance = random.Random(seed)
    with running_sink() as sink, running_installation() as installation:
        realm, key = json.loads(installation.run(_PREPARE, sink.url))
        sink.behave = misbehave(chance)
        for name in ("web", "worker-1", "worker-2"):
            installation.start(name)
        _wait_for_web(installation.port)
        publisher = Publisher(installation.port, realm, key, events, seconds=seconds)
        began, killed = time.monotonic(), Counter[str]()
        publisher.start()
        for victim in choose_victims(kills, chance):
            time.sleep(seconds / kills * chance.uniform(0.5, 1.5))
            killed[victim] += 1
            installation.kill(victim)
        publisher.join(SETTLE_TIMEOUT_S)
        left = _settle(installation)
        faults = find_faults(sink, publisher.acknowledged, left)
        if len(publisher.acknowledged) < events // CHANNELS // ITEMS_PER_PUBLISH * CHANNELS * ITEMS_PER_PUBLISH:
            faults.append(f"only {len(publisher.acknowledged)} items were acknowledged")
        took_s = time.monotonic() - began
        calls, wanted = len(sink.received), 2 * len(publisher.acknowledged)
        repeats = f"{publisher.repeats} repeated publishes"
        whom = ", ".join(f"{name} {count}" for name, count in sorted(killed.items()))
        print(f"{wanted:,} deliveries, {calls:,} calls, {kills} kills ({whom}), {repeats}, {took_s:.0f} s")
        for fault in faults:
            print(f"FAULT {fault}")
        if faults:
            for log in installation.folder.glob("*.log"):
                print(f"-- {log.name}\n{log.read_text()[-3000:]}")
    return 1 if faults else 0


def _settle(installation: Installation) -> int:
    """Wait until nothing waits any more; return how many deliveries still do."""
    ends_at = time.monotonic() + SETTLE_TIMEOUT_S
    while (left := int(installation.run(_LEFT))) and time.monotonic() < ends_at:
        time.sleep(1)
    return left


def _wait_for_web(port: int) -> None:
    ends_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends_at:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False, verify=False).status_code == 200:
                return
        time.sleep(0.1)
    raise SystemExit("the web process did not start")


def main() -> None:
    """Read the command line and prove."""
    parser = argparse.ArgumentParser(prog="make prove-webhooks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="over which the kills are spread")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(prove(events=options.events, kills=options.kills, seconds=options.seconds, seed=options.seed))


if __name__ == "__main__":
    main()
