"""What webhooks do per second: one worker's pump against a receiver in a process of its own, with real rows in
PostgreSQL; without TLS and with it. Then what they cost those who publish (`webhook_publishing`).
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from tests.load.scenarios import Figure, Options
from tests.load.server import ROOT
from tests.load.webhook_publishing import measure_publishing
from tests.servers.command import clean_environment
from tests.servers.postgres import PostgresServer

#: Endpoints, whether by TLS, and how many deliveries per second it should be.
TRIES = ((1, False, "≥ 1,000"), (20, False, "≥ 1,000"), (1, True, "≥ 600"), (20, True, "≥ 600"))


async def measure_webhooks(options: Options, folder: Path) -> list[Figure]:
    """Deliveries per second of one worker; then what an endpoint costs a publish."""
    events = options.subscribers // 2
    figures = await asyncio.to_thread(_measure_deliveries, folder, events)
    return [*figures, *await measure_publishing(options, folder)]


def _measure_deliveries(folder: Path, events: int) -> list[Figure]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "receiver.pem")
    with running_postgres_for(folder) as (postgres, environment):
        environment |= {"EXTRA_AUTHORITIES": str(folder / "authority.pem")}
        figures: list[Figure] = []
        for endpoints, is_tls, target in TRIES:
            with running_receiver(str(folder / "receiver.pem") if is_tls else "") as (port, pid):
                url = f"{'https' if is_tls else 'http'}://127.0.0.1:{port}"
                arguments = [url, events, endpoints, pid, postgres.pid]
                told = run_worker("tests.load.webhook_worker", arguments, environment)
            what = f"deliveries to {endpoints} endpoint{'s' * (endpoints > 1)}{', TLS' * is_tls}"
            figures += _figures(told, events, what, target)
        return figures


def _figures(told: dict[str, float], events: int, what: str, target: str) -> list[Figure]:
    fault = f"{told['left']:.0f} were not delivered" if told["left"] else ""
    shares = [
        Figure("webhooks", f"{what}: CPU of the {part}", told[f"{part}_cpu_s"] / events * 1e6, "us each")
        for part in ("worker", "receiver", "database")
    ]
    return [
        Figure("webhooks", f"{what}, rows and log written", events / told["took_s"], "per s", target, fault),
        *shares,
        Figure("webhooks", f"{what}: CPU of storing the events before", told["stored_cpu_s"] / events * 1e6, "us each"),
    ]


@contextmanager
def running_postgres_for(folder: Path) -> Iterator[tuple[PostgresServer, dict[str, str]]]:
    """Yield a database with our tables, and what a process beside it needs in its environment."""
    (folder / "postgres").mkdir()
    (folder / "data").mkdir()
    folder.chmod(0o755)
    postgres = PostgresServer(folder / "postgres")
    postgres.start()
    try:
        environment = clean_environment() | {
            "DATABASE_URL": postgres.url, "DATA_DIR": str(folder / "data"), "ALLOWED_TARGETS": "127.0.0.0/8",
            "DJANGO_SETTINGS_MODULE": "fanoutcloud.settings",
        }  # fmt: skip
        command = [sys.executable, "manage.py", "migrate", "-v", "0", "--skip-checks"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        yield postgres, environment
    finally:
        postgres.stop()


@contextmanager
def running_receiver(certificate: str = "") -> Iterator[tuple[int, int]]:
    """Yield port and process id of a quick receiver."""
    command = [sys.executable, "-m", "tests.load.webhook_receiver", certificate]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
    finally:
        process.communicate("")


def run_worker(module: str, arguments: list[object], environment: dict[str, str]) -> dict[str, Any]:
    """Run a module beside the database; return the JSON that it prints."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout)  # Any: what the module measures
    return told
