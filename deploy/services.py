"""Make sure that programs which pip can't install are here: `services.py postgresql redis chromium node prosody`.

What is present is left alone and nothing is started. What is absent is installed with apt-get where that is allowed
(as root, or by a sudo that asks nothing); elsewhere one message lists what to install.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

APT_INSTALL = Path(__file__).resolve().parent / "apt_install.sh"
POSTGRES_FOLDERS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
#: The same browser without a window of its own comes first: its pages cost half of the processor's time.
CHROMIUMS = (
    "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
)  # fmt: skip
OLDEST_REDIS = 7  # sharded pub/sub came with Redis 7.0
OLDEST_NODE = 18  # what the client libraries under tests/clients/node ask for


@dataclass(frozen=True, slots=True)
class Service:
    """A program that tests or the cluster start by themselves."""

    title: str
    find: Callable[[], str | None]
    debian_packages: tuple[str, ...]  # tried in this order until `find` finds


def find_postgresql() -> str | None:
    """Return the folder of `initdb` and `postgres`, the newest where there are several."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for parent in map(Path, POSTGRES_FOLDERS):
        folders += sorted(parent.glob("*/bin"), key=_version, reverse=True)
    return next((str(f) for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def find_redis() -> str | None:
    """Return a Redis or Valkey server that is new enough."""
    for name in ("redis-server", "valkey-server"):
        program = shutil.which(name)
        version = re.search(r"v=(\d+)\.", _version_text(program)) if program else None
        if version and int(version[1]) >= OLDEST_REDIS:
            return program
    return None


def find_chromium() -> str | None:
    """Return a Chromium or Chrome that answers; Ubuntu's placeholder for the snap does not."""
    for name in (os.environ.get("CHROMIUM"), *CHROMIUMS):
        program = shutil.which(name) if name else None
        if program and re.search(r"(Chromium|Chrome)\D* \d+", _version_text(program)):
            return program
    return None


def find_node() -> str | None:
    """Return npm, where a Node.js that is new enough stands beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    version = re.search(r"v(\d+)\.", _version_text(node)) if node else None
    return npm if npm and version and int(version[1]) >= OLDEST_NODE else None


def find_prosody() -> str | None:
    """Return Prosody. Its version is not asked for: in 0.12, `prosody --version` starts the server."""
    return shutil.which("prosody")


SERVICES = {
    "postgresql": Service("PostgreSQL", find_postgresql, ("postgresql",)),
    "redis": Service(f"Redis {OLDEST_REDIS} or newer", find_redis, ("redis-server", "valkey-server")),
    "node": Service(f"Node.js {OLDEST_NODE} or newer with npm", find_node, ("npm",)),
    "prosody": Service("Prosody", find_prosody, ("prosody",)),
    "chromium": Service(
        "Chromium or Chrome", find_chromium, ("chromium-headless-shell", "chromium", "chromium-browser")
    ),
}


def ensure(names: list[str]) -> None:
    """Check, install, and exit with a message that says what is still missing."""
    wanted = [SERVICES[name] for name in names]
    missing = [service for service in wanted if service.find() is None]
    how = apt_command() if missing else None
    if how is not None:
        for service in missing:
            install(service, how)
        missing = [service for service in missing if service.find() is None]
    if missing:
        titles = ", ".join(service.title for service in missing)
        packages = " ".join(service.debian_packages[0] for service in missing)
        sys.exit(
            f"Missing here: {titles}. Install it (Debian: apt-get install {packages}; Ubuntu has Chromium as a snap: "
            "snap install chromium), then run make again."
        )


def install(service: Service, how: list[str]) -> None:
    """Try the packages of `service` one after the other."""
    for package in service.debian_packages:
        print(f"Installing {service.title} (apt-get install {package}) …", flush=True)
        done = subprocess.run(
            [*how, package], capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode == 0 and service.find() is not None:
            return
        print("\n".join(done.stderr.strip().splitlines()[-5:]), file=sys.stderr)


def apt_command() -> list[str] | None:
    """Return the command that installs packages, or None where this user may not."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ["sh", str(APT_INSTALL)]
    if shutil.which("sudo") is None:
        return None
    may = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return ["sudo", "-n", "sh", str(APT_INSTALL)] if may.returncode == 0 else None


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", folder.parent.name))


def _version_text(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


if __name__ == "__main__":
    ensure(sys.argv[1:])
