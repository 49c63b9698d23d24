"""`make cluster`: a whole installation of many processes on this machine, for trying it.

Makes and starts a PostgreSQL and a Redis of its own in DATA_DIR/cluster, migrates, and runs the processes of
deploy/Procfile: web, EDGES edges (default 2), a Celery worker and beat. Data and secrets are kept for the next time.
A process that ends by itself ends the cluster. PORT, EDGE_PORT (the first edge's), POSTGRES_PORT and REDIS_PORT choose
ports; what is not chosen is found.
"""

import asyncio
import base64
import json
import os
import secrets
import shlex
import signal
import socket
import string
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cluster_servers
import services
from cluster_servers import CannotStart, write_private
from supervisor import Ended, Program, Supervisor

ROOT = Path(__file__).resolve().parent.parent
PROCFILE = ROOT / "deploy" / "Procfile"
START_TIMEOUT_S = 60.0
POLL_S = 0.1
MAX_EDGES = 32
# What runs once before the processes start. htmx's extensions are not used, and one names a file that is not there.
PREPARATIONS = (
    ["migrate", "--noinput", "--verbosity", "0"],
    ["collectstatic", "--noinput", "--verbosity", "0", "--ignore", "django_htmx/ext/*", "--ignore", "django_htmx/ext"],
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the cluster lives and listens."""

    folder: Path
    port: int
    edge_ports: tuple[int, ...]
    postgres_port: int
    redis_port: int


def main() -> None:
    """Run the cluster until it is told to stop."""
    try:
        services.ensure(["postgresql", "redis"])
        plan = read_plan()
        status = asyncio.run(run_cluster(plan))
    except CannotStart as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        status = 0
    sys.exit(status)


def read_plan() -> Plan:
    """Read the environment, and find ports for what it does not say."""
    folder = (Path(os.environ.get("DATA_DIR") or ROOT / "var") / "cluster").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port, edges = number("PORT", 8000), number("EDGES", 2)
    if not 1 <= edges <= MAX_EDGES:
        raise CannotStart(f"EDGES is {edges}; expected a number from 1 to {MAX_EDGES}")
    taken = {port}
    first_edge = number("EDGE_PORT", port + 1)
    edge_ports = tuple(take_port(first_edge + i, taken) for i in range(edges))
    return Plan(
        folder=folder,
        port=port,
        edge_ports=edge_ports,
        postgres_port=take_port(number("POSTGRES_PORT", 0), taken),
        redis_port=take_port(number("REDIS_PORT", 0), taken),
    )


def number(name: str, default: int) -> int:
    """Return the whole number in the environment variable `name`."""
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise CannotStart(f"{name} is {text!r}; expected a whole number below 65536")
    return int(text)


def take_port(wished: int, taken: set[int]) -> int:
    """Return `wished` if it is free, else another free port; never one that is taken in this plan."""
    for candidate in (wished, 0, 0, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port = int(listener.getsockname()[1])
        if port not in taken:
            taken.add(port)
            return port
    raise CannotStart("No free port was found on this machine.")


def read_secrets(folder: Path) -> dict[str, str]:
    """Return the cluster's secrets; made at the first time, kept for the next."""
    file = folder / "secrets.json"
    if not file.exists():
        made = {
            "SECRET_KEY": secrets.token_urlsafe(50),
            "SEALING_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "postgresql": secrets.token_urlsafe(24),
            "redis": secrets.token_urlsafe(24),
        }
        write_private(file, json.dumps(made))
    kept: dict[str, str] = json.loads(file.read_text())
    return kept


def environment_of(plan: Plan, kept: dict[str, str]) -> dict[str, str]:
    """Return what all processes of the installation share."""
    user = cluster_servers.PG_USER
    return {
        "DATA_DIR": str(plan.folder / "files"),
        "DATABASE_URL": f"postgres://{user}:{kept['postgresql']}@127.0.0.1:{plan.postgres_port}/postgres",
        "REDIS_URL": f"redis://:{kept['redis']}@127.0.0.1:{plan.redis_port}/0",
        "SECRET_KEY": kept["SECRET_KEY"],
        "SEALING_KEYS": kept["SEALING_KEYS"],
        "PORT": str(plan.port),
        "PUBLIC_URL": os.environ.get("PUBLIC_URL") or f"http://localhost:{plan.port}",
        "EDGE_DOMAIN": os.environ.get("EDGE_DOMAIN") or f"localhost:{plan.port}",
        "BIND": os.environ.get("BIND") or "127.0.0.1",
    }


def read_procfile(plan: Plan, shared: dict[str, str]) -> list[Program]:
    """Return the programs of deploy/Procfile, one per edge port for the edge."""
    inherited = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)])
    programs = []
    for line in PROCFILE.read_text().splitlines():
        name, _, command = line.partition(":")
        if not command.strip() or name.startswith("#"):
            continue
        ports = plan.edge_ports if name == "edge" else (0,)
        for index, port in enumerate(ports, 1):
            own = {"ROLE": name, "PYTHONUNBUFFERED": "1", "PATH": path, "EDGE_PORT": str(port)}
            environment = {**inherited, **shared, **own}
            words = [string.Template(word).substitute(environment) for word in shlex.split(command)]
            words[0] = str(Path(sys.executable).parent / words[0])
            programs.append(Program(f"edge.{index}" if name == "edge" else name, words, environment, ROOT))
    return programs


async def run_cluster(plan: Plan) -> int:
    """Start everything, wait for a signal or the end of a process, stop everything; return the exit status."""
    supervisor, told = Supervisor(), asyncio.Event()
    for number_ in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number_, told.set)
    status = 0
    jobs = [
        asyncio.create_task(start_all(supervisor, plan)),
        asyncio.create_task(supervisor.wait_for_an_end()),
        asyncio.create_task(told.wait()),
    ]
    try:
        await first_that_matters(jobs)
    except (Ended, CannotStart) as problem:
        print(f"{problem}; stopping the cluster (PostgreSQL's and Redis' words: {plan.folder}/*.log)", file=sys.stderr)
        status = 1
    finally:
        await supervisor.stop()
    return status


async def first_that_matters(jobs: Sequence[asyncio.Task[Any]]) -> None:
    """Wait until told to stop, or until one of the jobs fails, and raise what it raised."""
    start, *others = jobs
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        if done == {start} and start.exception() is None:
            done, _ = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def start_all(supervisor: Supervisor, plan: Plan) -> None:
    """Start the servers, migrate, start the processes, and say when they answer."""
    kept = read_secrets(plan.folder)
    shared = environment_of(plan, kept)
    await supervisor.start(
        await asyncio.to_thread(cluster_servers.postgresql, plan.folder, plan.postgres_port, kept["postgresql"])
    )
    await supervisor.start(cluster_servers.redis(plan.folder, plan.redis_port, kept["redis"]))
    pid_file = plan.folder / "postgresql" / "postmaster.pid"
    await wait_until(lambda: cluster_servers.is_ready(pid_file), "PostgreSQL")
    await wait_until(lambda: listens(plan.redis_port), "Redis")
    for command in PREPARATIONS:
        words = [sys.executable, "manage.py", *command]
        await supervisor.run(Program(command[0], words, {**os.environ, **shared}, ROOT))
    for program in read_procfile(plan, shared):
        await supervisor.start(program)
    for port in (plan.port, *plan.edge_ports):
        url = f"http://127.0.0.1:{port}/healthz"
        await wait_until(lambda: answers(url), url)  # noqa: B023 - awaited before the next one
    announce(plan, shared)


def announce(plan: Plan, shared: dict[str, str]) -> None:
    """Say where everything is; the environment goes into a file, for `manage.py` beside the cluster."""
    file = plan.folder / "environment"
    write_private(file, "".join(f"{name}={shlex.quote(value)}\n" for name, value in shared.items()))
    print(f"ready: {shared['PUBLIC_URL']}")
    print("edges: " + " ".join(f"http://localhost:{port}" for port in plan.edge_ports))
    print(f"manage.py beside it: set -a; . {shlex.quote(str(file))}; .venv/bin/python manage.py …", flush=True)


async def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Return when `holds` does; `what` is named if that takes too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not await asyncio.to_thread(holds):
        if time.monotonic() > deadline:
            raise CannotStart(f"{what} did not answer within {START_TIMEOUT_S:.0f} s")
        await asyncio.sleep(POLL_S)


def listens(port: int) -> bool:
    """Whether something accepts connections on `port` now."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2.0).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether `url` answers with success now."""
    try:
        with urllib.request.urlopen(url, timeout=2.0) as response:  # noqa: S310 - our own process
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


if __name__ == "__main__":
    main()
