"""The PostgreSQL and the Redis of `make cluster`: made once in the cluster's folder, reached by a password each."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import services
from supervisor import Program

PG_USER = "fanout"


class CannotStart(Exception):
    """Something that a person has to mend; the text is the sentence that says so."""


def postgresql(folder: Path, port: int, password: str) -> Program:
    """Return the server that keeps its data in `folder`/postgresql; the data is made at the first time."""
    data = folder / "postgresql"
    account = server_account()
    programs = Path(services.find_postgresql() or "")
    check_not_running(data / "postmaster.pid")
    if not (data / "PG_VERSION").exists():
        make_database(programs, data, password, account)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    return Program(
        name="postgresql",
        command=[str(programs / "postgres"), "-D", str(data), *settings],
        environment=dict(os.environ),
        folder=data,
        log=folder / "postgresql.log",
        account=account,
        stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
    )


def redis(folder: Path, port: int, password: str) -> Program:
    """Return the server that keeps its data in `folder`/redis."""
    data = folder / "redis"
    data.mkdir(mode=0o700, exist_ok=True)
    settings = data / "redis.conf"
    write_private(
        settings,
        f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndaemonize no\nsave 60 1\n"
        "appendonly yes\nappendfsync always\nmaxmemory-policy noeviction\nstream-node-max-bytes 1024\n",
    )
    return Program(
        name="redis",
        command=[services.find_redis() or "redis-server", settings.name],
        environment=dict(os.environ),
        folder=data,
        log=folder / "redis.log",
    )


def server_account() -> dict[str, Any]:
    """Return who runs PostgreSQL, as arguments of `Popen`: it refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise CannotStart("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as.")


def make_database(programs: Path, data: Path, password: str, account: dict[str, Any]) -> None:
    """Make the database cluster beside `data` and put it in place when it is whole."""
    with tempfile.TemporaryDirectory(prefix="fanout-initdb-") as name:
        if account:
            os.chown(name, account["user"], account["group"])
        password_file = Path(name) / "password"
        write_private(password_file, password + "\n")
        unfinished = Path(name) / "data"
        if account:
            os.chown(password_file, account["user"], account["group"])
        command = [str(programs / "initdb"), f"--username={PG_USER}", f"--pwfile={password_file}"]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--pgdata", str(unfinished)]
        made = subprocess.run([*command, *options], cwd=name, capture_output=True, text=True, check=False, **account)
        if made.returncode:
            raise CannotStart(f"{made.stderr.strip()}\ninitdb could not make a database; its words are above.")
        shutil.rmtree(data, ignore_errors=True)
        shutil.move(unfinished, data)  # keeps the owner, also from one file system to another when root moves it
    if account:
        own(data, account)
        check_reachable(data, account)


def own(data: Path, account: dict[str, Any]) -> None:
    """Give `data` and all in it to the server's account."""
    for path in [data, *data.rglob("*")]:
        os.chown(path, account["user"], account["group"], follow_symlinks=False)


def check_reachable(data: Path, account: dict[str, Any]) -> None:
    """Raise CannotStart if the account may not pass the folders above `data`."""
    seen = subprocess.run(["test", "-r", str(data / "PG_VERSION")], check=False, cwd="/", **account)
    if seen.returncode:
        shutil.rmtree(data)
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user that it runs as can't reach {data}: "
            "choose another folder, as in: make cluster DATA_DIR=/srv/fanout"
        )


def check_not_running(pid_file: Path) -> None:
    """Raise CannotStart if a server of an earlier cluster still has the data."""
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
        name = Path(f"/proc/{pid}/comm").read_text()
    except (OSError, ValueError):
        return
    if name.startswith("postgres"):
        raise CannotStart(
            f"The PostgreSQL of an earlier cluster still runs on this folder: end it with kill -INT {pid}"
        )


def is_ready(pid_file: Path) -> bool:
    """Whether the PostgreSQL of this file takes queries; line 8 says so (PostgreSQL: PM_STATUS_READY)."""
    try:
        return pid_file.read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads; it is whole or not there."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    part.replace(path)
