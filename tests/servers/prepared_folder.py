"""A data directory as `manage.py serve` leaves it after its first start: made once per test process, then copied.

Migrations and static files take a product some seconds of its first start, and the tests start more than a hundred.
That an empty directory becomes such a one is what tests/test_commands.py tries.
"""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.servers.command import clean_environment

ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 120.0
_DATABASE = "db.sqlite3"
_STAMP = "static.stamp"
_PREPARE = """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fanoutcloud.settings")
import django
django.setup()
from fanoutcloud.management import preparing
preparing.prepare_database()
preparing.prepare_static_files()
"""


def fill(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Copy the database and the static files into a product's `data_dir`, unless it has a database already.

    The secrets that a first start makes are left to it. `environment` is the product's.
    """
    if (data_dir / _DATABASE).exists():
        return
    prepared = _make()
    shutil.copytree(prepared / "static", data_dir / "static", dirs_exist_ok=True)
    shutil.copyfile(prepared / _STAMP, data_dir / _STAMP)
    if "DATABASE_URL" not in environment:
        shutil.copyfile(prepared / _DATABASE, data_dir / _DATABASE)


@functools.cache
def _make() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fanout-prepared-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(
        [sys.executable, "-c", _PREPARE],
        cwd=ROOT,
        env=clean_environment(DATA_DIR=str(folder)),
        check=True,
        timeout=_TIMEOUT_S,
    )
    assert not list(folder.glob(f"{_DATABASE}-*")), "the write-ahead log was not folded into the database"
    return folder
