"""Database and static files as this version of the product needs them; quick where they are so already.

Nearly every start finds nothing to do. Asking Django's commands for that takes a second: `migrate` makes every model
anew for each migration, `collectstatic` hashes, rewrites and compresses every file.
"""

import hashlib
import pkgutil
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from fanoutcloud import static_files

#: What decides, besides the files themselves, how they are collected.
_COLLECTORS = ("django", "whitenoise")


def prepare_database() -> None:
    """Migrate, unless the database has recorded every migration that there is."""
    if not set(_list_migrations()) <= MigrationRecorder(connection).applied_migrations().keys():
        call_command("migrate", interactive=False, verbosity=0)


def _list_migrations() -> Iterator[tuple[str, str]]:
    """Yield the app and name of every migration file; none is imported."""
    for app in apps.get_app_configs():
        module, _ = MigrationLoader.migrations_module(app.label)
        if module is None or (app.module and not (Path(app.path) / "migrations").is_dir()):
            continue
        for found in pkgutil.iter_modules(import_module(module).__path__):
            if not found.ispkg and found.name[0] not in "_~":
                yield app.label, found.name


def prepare_static_files() -> None:
    """Collect the static files, unless what is collected was made of just these files by just this code.

    The sources count with their contents, since a date says little after a checkout or a copy; what was collected
    counts with names and sizes, so that files that are missing come back.
    """
    stamp = settings.DATA_DIR / "static.stamp"
    if stamp.exists() and stamp.read_text() == _fingerprint():
        return
    stamp.unlink(missing_ok=True)  # a start that does not get to the end of this must leave none
    for name, _ in _list_sources():
        (settings.STATIC_ROOT / name).unlink(missing_ok=True)  # `collectstatic` keeps what has a later date
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(_fingerprint())


def _fingerprint() -> str:
    digest = hashlib.sha256(Path(static_files.__file__).read_bytes())
    for package in _COLLECTORS:
        digest.update(f"{package} {metadata.version(package)}\n".encode())
    for name, path in _list_sources():
        content = path.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    for path in sorted(settings.STATIC_ROOT.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(settings.STATIC_ROOT)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def _list_sources() -> list[tuple[str, Path]]:
    """Return the name and the place of every file that `collectstatic` looks at, in its order."""
    return [
        (str(Path(getattr(storage, "prefix", None) or "", path)), Path(storage.path(path)))
        for finder in get_finders()
        for path, storage in finder.list(StaticFilesConfig.ignore_patterns)
    ]
