"""Which servers and browsers count as present, and what is said about the others."""

import stat
from pathlib import Path

import pytest

from deploy import services


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program but those that a test puts here."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(services, "POSTGRES_FOLDERS", (str(tmp_path / "postgresql"),))
    return tmp_path


def put(path: Path, says: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_newest_postgresql_outside_path_is_found(programs: Path) -> None:
    for version in ("9.6", "13", "15"):
        put(programs / "postgresql" / version / "bin" / "initdb")
        put(programs / "postgresql" / version / "bin" / "postgres")

    assert services.find_postgresql() == str(programs / "postgresql" / "15" / "bin")


def test_a_postgresql_client_alone_is_not_a_server(programs: Path) -> None:
    put(programs / "postgresql" / "15" / "bin" / "psql")

    assert services.find_postgresql() is None


@pytest.mark.parametrize(
    ("name", "says", "found"),
    [
        ("redis-server", "Redis server v=7.0.15 sha=00000000:0", True),
        ("redis-server", "Redis server v=6.0.16 sha=00000000:0", False),
        ("valkey-server", "Valkey server v=8.0.1 sha=00000000:0", True),
    ],
)
def test_a_redis_counts_from_version_7_on(programs: Path, name: str, says: str, found: bool) -> None:
    put(programs / name, says)

    assert (services.find_redis() is not None) is found


@pytest.mark.parametrize(
    ("name", "says", "found"),
    [
        ("chromium", "Chromium 120.0.6099.224 built on Debian", True),
        ("chromium-headless-shell", "Chromium 120.0.6099.224", True),
        ("google-chrome", "Google Chrome 120.0.6099.224", True),
        ("chromium-browser", "This command requires the chromium snap to be installed", False),
    ],
)
def test_a_browser_counts_when_it_tells_its_version(programs: Path, name: str, says: str, found: bool) -> None:
    put(programs / name, says)

    assert (services.find_chromium() is not None) is found


def test_the_browser_without_windows_is_preferred(programs: Path) -> None:
    for name in ("chromium", "chromium-headless-shell"):
        put(programs / name, "Chromium 120.0.6099.224")

    assert services.find_chromium() == str(programs / "chromium-headless-shell")


def test_what_is_present_is_left_alone(programs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(programs / "redis-server", "Redis server v=7.2.0 sha=00000000:0")

    services.ensure(["redis"])

    assert capsys.readouterr().out == ""


def test_what_is_missing_and_may_not_be_installed_is_listed_at_once(programs: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        services.ensure(["postgresql", "redis", "chromium"])

    said = str(ended.value)
    assert said.startswith("Missing here: PostgreSQL, Redis 7 or newer, Chromium or Chrome. ")
    assert "apt-get install postgresql redis-server chromium" in said


def test_what_is_missing_is_installed_where_that_is_allowed(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "store" / "redis-server", "Redis server v=7.0.15 sha=00000000:0")
    apt = programs / "apt"
    apt.write_text(f"#!/bin/sh\n/bin/cp '{programs}/store/redis-server' '{programs}/redis-server'\n")
    apt.chmod(0o755)
    monkeypatch.setattr(services, "apt_command", lambda: [str(apt)])

    services.ensure(["redis"])

    assert services.find_redis() == str(programs / "redis-server")
