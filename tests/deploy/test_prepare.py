"""What `make` does before anything runs: the virtual environment, and clear words when it can't be made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import prepare

NO_WHEEL = (
    "ERROR: Could not find a version (from versions: 1.0)\nERROR: No matching distribution found for hiredis==3.4.0"
)
UNREACHABLE = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n" + NO_WHEEL


class FakePip:
    """Answers like pip; `answers` are its outputs when it fails, None when it works."""

    def __init__(self, *answers: str | None) -> None:
        self.answers = list(answers)
        self.options: list[tuple[str, ...]] = []

    def __call__(self, requirements: Path, *options: str) -> str | None:
        self.options.append(options)
        return self.answers.pop(0)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with nothing installed, in which no pip runs and no time passes."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "run.txt").write_text("hiredis==3.4.0\n")
    venv = tmp_path / ".venv"
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "PYTHON": venv / "bin" / "python",
        "UNFINISHED": venv / "unfinished",
    }.items():
        monkeypatch.setattr(prepare, name, value)
    monkeypatch.setattr(prepare.time, "sleep", lambda seconds: None)
    return tmp_path


@pytest.fixture
def venv_is_made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what comes after the virtual environment, which takes seconds to make."""

    def make_venv() -> None:
        prepare.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        prepare.PYTHON.touch()

    monkeypatch.setattr(prepare, "make_venv", make_venv)


def install_with(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "pip_install", pip)
    prepare.install("run")


def test_what_is_installed_is_not_installed_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = FakePip(None)

    install_with(pip, monkeypatch)
    install_with(pip, monkeypatch)

    assert pip.options == [("--only-binary=:all:",)]
    assert (checkout / ".venv" / "bin" / "python").exists()


def test_changed_requirements_are_installed_into_the_same_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip(None, None)

    install_with(pip, monkeypatch)
    made_at = (checkout / ".venv" / "pyvenv.cfg").stat().st_mtime_ns
    (checkout / "requirements" / "run.txt").write_text("hiredis==3.4.1\n")
    install_with(pip, monkeypatch)

    assert pip.answers == []
    assert (checkout / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made_at


def test_an_interrupted_install_is_begun_afresh(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(requirements: Path, *options: str) -> str | None:
        (checkout / ".venv" / "half-written").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "pip_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare.install("run")
    install_with(FakePip(None), monkeypatch)

    assert not (checkout / ".venv" / "half-written").exists()
    assert not (checkout / ".venv" / "unfinished").exists()


def test_a_moved_checkout_gets_a_new_environment(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install_with(FakePip(None), monkeypatch)
    pip_script = checkout / ".venv" / "bin" / "pip"
    pip_script.write_text(pip_script.read_text().replace(str(checkout), "/elsewhere"))
    (checkout / ".venv" / "installed-run").unlink()
    install_with(FakePip(None), monkeypatch)

    assert "Making .venv again" in capsys.readouterr().out
    assert str(checkout) in pip_script.read_text()


@pytest.mark.usefixtures("venv_is_made")
def test_a_package_without_a_wheel_and_no_compiler_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None)

    with pytest.raises(prepare.CannotPrepare) as refused:
        install_with(FakePip(NO_WHEEL), monkeypatch)

    said = str(refused.value)
    assert said.startswith("The package hiredis==3.4.0 has no ready-made file for Python 3.")
    assert "there is no C compiler to build it: install one (Debian and Ubuntu: apt-get install build-essential" in said
    assert "\n" not in said


@pytest.mark.usefixtures("venv_is_made")
def test_a_package_without_a_wheel_is_built_where_a_compiler_is(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare.shutil, "which", lambda name: "/usr/bin/cc")
    pip = FakePip(NO_WHEEL, None)

    install_with(pip, monkeypatch)

    assert pip.options == [("--only-binary=:all:",), ("--prefer-binary",)]


@pytest.mark.usefixtures("venv_is_made")
def test_an_index_that_does_not_answer_is_asked_three_times_and_then_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = FakePip(UNREACHABLE, UNREACHABLE, UNREACHABLE)

    with pytest.raises(prepare.CannotPrepare, match="The package index could not be reached, so nothing was installed"):
        install_with(pip, monkeypatch)

    assert pip.answers == []


@pytest.mark.usefixtures("venv_is_made")
def test_a_hiccup_of_the_index_is_survived(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_with(FakePip(UNREACHABLE, None), monkeypatch)

    assert (checkout / ".venv" / "installed-run").exists()


def test_a_python_without_venv_is_one_sentence(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "No module named ensurepip")
    monkeypatch.setattr(prepare, "run", lambda command, environment=None: failed)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: None)

    with pytest.raises(
        prepare.CannotPrepare, match=r"^This Python has no venv module: install it .*python3\.\d+-venv\)"
    ):
        prepare.install("run")


def test_of_a_persons_pip_settings_only_those_of_where_packages_come_from_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "pip.conf"
    odd.write_text(
        "[global]\nuser = true\ntarget = elsewhere\nproxy = proxy.example\nretries = 2\n[install]\nretries = 7\n"
    )
    monkeypatch.setattr(prepare, "PYTHON", Path(sys.executable))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(odd))
    monkeypatch.setenv("PIP_PREFIX", "elsewhere")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "one.example two.example")

    settings = {name: value for name, value in prepare.pip_environment().items() if name.startswith("PIP_")}

    assert settings["PIP_PROXY"] == "proxy.example"
    assert settings["PIP_RETRIES"] == "7"
    assert settings["PIP_TRUSTED_HOST"] == "one.example two.example"
    assert settings["PIP_CONFIG_FILE"] == os.devnull
    assert {"PIP_USER", "PIP_TARGET", "PIP_PREFIX"}.isdisjoint(settings)
