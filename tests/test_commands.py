"""The commands of the README, as a person who just cloned the project runs them."""

import json
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.servers.command import clean_environment, free_port, started

ROOT = Path(__file__).resolve().parents[1]
INSTALL_TIMEOUT_S = 400.0
SECOND_START_TIMEOUT_S = 15.0  # 5 s are promised on a quiet machine; this one runs other tests beside it
STOP_TIMEOUT_S = 5.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="the commands are promised for Debian and Ubuntu"),
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a person gets who clones the project; installed by the first `make up`."""
    folder = tmp_path_factory.mktemp("clone") / "fanout cloud"  # a space in the path is no reason to fail
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(clone: Path) -> Path:
    """The clone after a first `make up` from nothing, which served, and was ended with Ctrl-C."""
    port = free_port()
    with started(["make", "up", f"PORT={port}"], folder=clone, environment=clean_environment()) as command:
        assert command.wait_for_line("ready: ", timeout_s=INSTALL_TIMEOUT_S) == f"ready: http://localhost:{port}"
        assert fetch(f"http://localhost:{port}/healthz") == (200, "ok\n")
        assert fetch(f"http://localhost:{port}/")[0] == 200
        command.interrupt()
        command.wait_for_end(timeout_s=STOP_TIMEOUT_S)
    assert "Traceback" not in command.output
    assert "***" not in command.output  # make's own error line
    return clone


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_the_data_goes_where_data_dir_says(installed: Path) -> None:
    assert (installed / "var" / "db.sqlite3").exists()
    assert (
        subprocess.run(
            ["git", "status", "--porcelain"], cwd=installed, capture_output=True, text=True, check=True
        ).stdout
        == ""
    )


def test_a_second_start_is_quick_keeps_everything_and_ends_with_status_0(installed: Path, data: Path) -> None:
    port = free_port()
    environment = clean_environment(PORT=str(port), DATA_DIR=str(data))
    words = [installed / ".venv/bin/python", "manage.py", "create_realm", "--owner", "alice@example.com", "--json"]

    with started(["make", "up"], folder=installed, environment=environment) as command:
        command.wait_for_line("ready: ", timeout_s=SECOND_START_TIMEOUT_S)
        made = subprocess.run(words, cwd=installed, env=environment, capture_output=True, text=True, check=True)
        realm = json.loads(made.stdout)
        assert publish(realm) == (200, "Published\n")
        command.terminate_child()
        assert command.wait_for_end(timeout_s=STOP_TIMEOUT_S) == 0

    began = time.monotonic()
    with started(["make", "up"], folder=installed, environment=environment) as command:
        command.wait_for_line("ready: ", timeout_s=SECOND_START_TIMEOUT_S)
        took_s = time.monotonic() - began
        assert publish(realm) == (200, "Published\n")
        command.terminate_child()
        assert command.wait_for_end(timeout_s=STOP_TIMEOUT_S) == 0
    assert took_s < SECOND_START_TIMEOUT_S
    note = "origins: servers on this machine may be named (ALLOWED_TARGETS=none forbids it)"
    assert command.output.strip() == f"{note}\nready: http://localhost:{port}"


def test_a_busy_port_is_one_sentence_with_its_cure(installed: Path, data: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = run_make(installed, PORT=str(port), DATA_DIR=str(data))

    assert status != 0
    assert said == [
        f"Port {port} is already used by another program; end that one or take another port: make up PORT={port + 1}"
    ]
    assert not data.exists()


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "80 81"])
def test_a_port_that_is_none_is_one_sentence(installed: Path, data: Path, port: str) -> None:
    status, said = run_make(installed, PORT=port, DATA_DIR=str(data))

    assert status != 0
    assert said == [f"PORT is {port!r}; expected a number from 1 to 65535, as in: make up PORT=8001"]


def test_an_old_python_is_one_sentence_that_names_it(clone: Path, tmp_path: Path) -> None:
    status, said = run_make(clone, PATH=path_with_python(tmp_path, "3.9"))

    assert status != 0
    assert len(said) == 1
    assert said[0].startswith(
        "Fanout Cloud needs Python 3.11 or newer, and the newest found here is 3.9 (as python3): "
    )
    assert "apt-get install python3 python3-venv" in said[0]


def test_no_python_is_one_sentence(clone: Path, tmp_path: Path) -> None:
    status, said = run_make(clone, PATH=path_with_python(tmp_path, None))

    assert status != 0
    assert len(said) == 1
    assert "the newest found here is none at all" in said[0]


def test_a_newer_python_beside_an_old_one_is_found(clone: Path, tmp_path: Path) -> None:
    path = path_with_python(tmp_path, "3.9")
    (tmp_path / "bin" / "python3.11").symlink_to(sys.executable)
    done = subprocess.run(
        ["sh", "deploy/python.sh", "-c", "import sys; print(sys.version_info[:2])"],
        cwd=clone,
        env=clean_environment(PATH=path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{sys.version_info[:2]}\n"


def test_make_test_installs_then_looks_for_servers_then_runs_pytest() -> None:
    planned = subprocess.run(
        ["make", "-n", "test", "ARGS=-k hub"],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    install, run = planned.stdout.splitlines()
    assert "deploy/prepare.py test" in install
    assert install.endswith("deploy/services.py postgresql redis chromium node prosody")
    assert run.startswith(".venv/bin/python -m pytest ")
    assert run.endswith(" -k hub")


def test_make_alone_lists_the_jobs() -> None:
    listed = subprocess.run(
        ["make"], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
    ).stdout

    for job in ("up", "test", "check", "bench", "cluster", "lock", "clean"):
        assert f"make {job} " in listed


def run_make(folder: Path, **variables: str) -> tuple[int, list[str]]:
    """Run `make up` where it should refuse; return its status and what it said, without make's own last line."""
    with started(["make", "up"], folder=folder, environment=clean_environment(**variables)) as command:
        status = command.wait_for_end(timeout_s=30.0)
    return status, [line for line in command.output.splitlines() if not line.startswith("make: ***")]


def path_with_python(folder: Path, version: str | None) -> str:
    """Return a PATH with make's needs and a `python3` that says it is of `version`, and no other Python."""
    programs = folder / "bin"
    programs.mkdir()
    for name in ("make", "sh", "sed", "awk"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    if version is not None:
        fake = programs / "python3"
        fake.write_text(f'#!/bin/sh\ncase "$2" in *sys.exit*) exit 1 ;; *) printf {version} ;; esac\n')
        fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    return str(programs)


def fetch(url: str) -> tuple[int, str]:
    """Return the status and body that `url` answers with."""
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.status, response.read().decode()


def publish(realm: dict[str, str]) -> tuple[int, str]:
    """Publish as the README's example does, with curl."""
    body = '{"items":[{"channel":"hello","json-object":{"text":"hi"}}]}'
    words = ["curl", "-s", "-w", "%{http_code}", "-d", body, "-u", f"{realm['realm']}:{realm['key']}"]
    answer = subprocess.run([*words, f"{realm['api']}/publish/"], capture_output=True, text=True, check=True).stdout
    return int(answer[-3:]), answer[:-3]
