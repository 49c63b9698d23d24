"""Node.js and the client libraries of tests/clients/node, for programs as customers write them.

Installed by `npm ci` once for each state of the lock file, without running any script of a package.
"""

import fcntl
import hashlib
import subprocess
from pathlib import Path

import pytest

from deploy.services import find_node

PACKAGES = Path(__file__).resolve().parents[1] / "clients" / "node"
MODULES = PACKAGES / "node_modules"
_INSTALLED = MODULES / ".installed-for"
INSTALL_TIMEOUT_S = 300.0


def install_packages() -> Path:
    """Return the folder that holds `node_modules`; installs them first where the lock file has changed since."""
    npm = find_node()
    if npm is None:
        pytest.fail("Node.js with npm is not installed; `make test` installs it")
    wanted = hashlib.sha256((PACKAGES / "package-lock.json").read_bytes()).hexdigest()
    with (PACKAGES / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests in one tree
        if not _INSTALLED.exists() or _INSTALLED.read_text() != wanted:
            _install(npm)
            _INSTALLED.write_text(wanted)
    return PACKAGES


def _install(npm: str) -> None:
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=PACKAGES,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=INSTALL_TIMEOUT_S,
    )
    if done.returncode != 0:
        pytest.fail(f"npm ci in tests/clients/node failed:\n{done.stdout}{done.stderr}")


@pytest.fixture(scope="session")
def node_packages() -> Path:
    """The folder in which Node.js finds the client libraries."""
    return install_packages()
