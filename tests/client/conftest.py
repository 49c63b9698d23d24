"""The Python client as customers have it: built, installed into an environment of its own, before the real product."""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.product import Product, ProductRealm, product

__all__ = ["product"]

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "fanoutcloud" / "client"
COMMAND_TIMEOUT_S = 60.0
#: What the package needs, and what that needs; the versions and hashes are those of our own test requirements.
DEPENDENCIES = {"anyio", "certifi", "click", "h11", "httpcore", "httpx", "idna", "typing-extensions", "websockets"}


@dataclass(frozen=True, slots=True)
class Installed:
    """The package in an environment that has nothing else."""

    python: Path
    fanout: Path
    wheel: Path


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build the package as its maintainers do and install it as its users do; once for all tests."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    _do(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    requirements = folder / "requirements.txt"
    requirements.write_text(_pinned(DEPENDENCIES))
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    _do(*pip, "--require-hashes", "--no-deps", "-r", requirements)
    _do(*pip, "--no-deps", wheel)
    return Installed(python, folder / "venv" / "bin" / "fanout", wheel)


def _pinned(names: set[str]) -> str:
    """Return the entries of requirements/test.txt with these names."""
    text = (ROOT / "requirements" / "test.txt").read_text()
    entries = re.findall(r"^([\w.-]+)==[^\n]*\n(?:    --hash[^\n]*\n)+", text, re.MULTILINE)
    found = re.finditer(r"^([\w.-]+)==[^\n]*\n(?:    --hash[^\n]*\n)+", text, re.MULTILINE)
    chosen = [match[0].rstrip().removesuffix("\\") for match in found if match[1] in names]
    assert len(chosen) == len(names), sorted(names - set(entries))
    return "\n".join(chosen) + "\n"


def _do(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def realm(product: Product) -> ProductRealm:
    return product.create_realm()


@pytest.fixture
def environment(product: Product, realm: ProductRealm, tmp_path: Path) -> dict[str, str]:
    """What a script sets for `fanout`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("FANOUT_")}
    return ours | {
        "FANOUT_URL": product.url,
        "FANOUT_REALM": realm.realm,
        "FANOUT_KEY": realm.key,
        "FANOUT_PATIENCE": "1",
        "FANOUT_CONFIG": str(tmp_path / "config.json"),
        "no_proxy": "localhost,127.0.0.1",
    }


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it said."""

    status: int
    output: str
    errors: str

    @property
    def rows(self) -> list[Any]:
        """The lines of `--json`."""
        return [json.loads(line) for line in self.output.splitlines()]


Fanout = Callable[..., Ran]


@pytest.fixture
def fanout(installed: Installed, environment: dict[str, str], tmp_path: Path) -> Fanout:
    """Run the installed command, in an empty folder."""

    def run(*words: str, stdin: str = "", **variables: str) -> Ran:
        done = subprocess.run(
            [installed.fanout, *words],
            env=environment | variables,
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
