"""What each kind of process loads: its start is as long as that takes."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.command import clean_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("fanoutcloud.asgi", ["daphne", "twisted", "psycopg"]),
        ("fanoutcloud.edge_asgi", ["daphne", "twisted", "psycopg", "fanoutcloud.urls", "rest_framework.views"]),
    ],
)
def test_a_process_loads_nothing_that_it_never_uses(module: str, unneeded: list[str], tmp_path: Path) -> None:
    code = f"import sys, {module}; print(*sys.modules)"

    loaded = run("-c", code, tmp_path=tmp_path).split()

    assert module in loaded
    assert set(unneeded).isdisjoint(loaded)


def test_runserver_is_daphne_s(tmp_path: Path) -> None:
    assert "--http_timeout" in run("manage.py", "runserver", "--help", tmp_path=tmp_path)


def run(*words: str, tmp_path: Path) -> str:
    """Return what Python prints when it runs this."""
    command = [sys.executable, *words]
    environment = clean_environment(DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="fanoutcloud.settings")
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
