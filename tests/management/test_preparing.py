"""What a start makes ready, and what it leaves alone because it is ready."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from fanoutcloud.management import preparing


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of Django's commands that were called; they do their work."""
    names: list[str] = []
    original = preparing.call_command

    def call(name: str, **options: Any) -> None:
        names.append(name)
        original(name, **options)

    monkeypatch.setattr(preparing, "call_command", call)
    return names


@pytest.fixture
def source(settings: Settings, tmp_path: Path) -> Path:
    """The one static file of an installation that has collected nothing yet."""
    settings.DATA_DIR = tmp_path / "data"
    settings.STATIC_ROOT = settings.DATA_DIR / "static"
    settings.STATICFILES_DIRS = [tmp_path / "sources"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT.mkdir(parents=True)
    file = tmp_path / "sources" / "css" / "page.css"
    file.parent.mkdir(parents=True)
    file.write_text("a { color: red }")
    return file


def collected(settings: Settings) -> str:
    """Return what is served as the page's style sheet."""
    return str((settings.STATIC_ROOT / "css" / "page.css").read_text())


@pytest.mark.django_db
def test_a_database_that_has_every_migration_is_left_alone(called: list[str]) -> None:
    preparing.prepare_database()

    assert called == []


@pytest.mark.django_db
@pytest.mark.parametrize(("app", "name"), [("onboarding", "0003_probes"), ("account", "0001_initial")])
def test_one_missing_migration_of_any_app_is_enough_to_migrate(
    app: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(preparing, "call_command", lambda name, **options: called.append(name))
    MigrationRecorder(connection).record_unapplied(app, name)

    preparing.prepare_database()

    assert called == ["migrate"]


def test_static_files_are_collected_once(settings: Settings, source: Path, called: list[str]) -> None:
    preparing.prepare_static_files()
    preparing.prepare_static_files()

    assert called == ["collectstatic"]
    assert collected(settings) == "a { color: red }"


def test_a_changed_file_is_collected_though_it_has_the_same_size_and_an_old_date(
    settings: Settings, source: Path, called: list[str]
) -> None:
    preparing.prepare_static_files()
    source.write_text("a { color: tan }")
    (settings.STATIC_ROOT / "css" / "page.css").touch()
    os.utime(source, (0, 0))

    preparing.prepare_static_files()

    assert called == ["collectstatic"] * 2
    assert collected(settings) == "a { color: tan }"


def test_a_collected_file_that_is_gone_comes_back(settings: Settings, source: Path, called: list[str]) -> None:
    preparing.prepare_static_files()
    (settings.STATIC_ROOT / "css" / "page.css").unlink()

    preparing.prepare_static_files()

    assert called == ["collectstatic"] * 2
    assert collected(settings) == "a { color: red }"


def test_a_new_file_is_collected(settings: Settings, source: Path, called: list[str]) -> None:
    preparing.prepare_static_files()
    source.with_name("other.css").write_text("b { color: red }")

    preparing.prepare_static_files()

    assert called == ["collectstatic"] * 2
    assert (settings.STATIC_ROOT / "css" / "other.css").exists()


def test_collecting_that_did_not_end_is_done_again(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []

    def fail(name: str, **options: Any) -> None:
        called.append(name)
        raise OSError("the disk is full")

    preparing.prepare_static_files()
    monkeypatch.setattr(preparing, "call_command", fail)
    before = source.read_text()
    source.write_text("a { color: tan }")
    with pytest.raises(OSError, match="disk"):
        preparing.prepare_static_files()
    source.write_text(before)

    with pytest.raises(OSError, match="disk"):
        preparing.prepare_static_files()

    assert called == ["collectstatic"] * 2
