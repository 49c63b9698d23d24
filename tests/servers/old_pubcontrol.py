"""pubcontrol 3.4.0 beside the release that the tests have: installed once for each state of its lock, into build/."""

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.product import ROOT

LOCK = ROOT / "tests" / "clients" / "python" / "pubcontrol-3.4.txt"
INSTALL_TIMEOUT_S = 300.0


@pytest.fixture(scope="session")
def old_pubcontrol() -> Path:
    """The folder to put first among those that Python imports from."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    folder = ROOT / "build" / f"pubcontrol-3.4-{digest}"
    with LOCK.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of the tests in one tree
        if not (folder / "pubcontrol" / "__init__.py").exists():
            _install(folder)
    return folder


def _install(folder: Path) -> None:
    options = ["--quiet", "--no-deps", "--require-hashes", "--target", str(folder), "-r", str(LOCK)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options], capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S
    )
    if done.returncode != 0:
        pytest.fail(f"pip install of pubcontrol 3.4 failed:\n{done.stdout}{done.stderr}")
