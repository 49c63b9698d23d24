"""Make `.venv` ready, then become another command: `prepare.py run|test [--port-free] [-- COMMAND …]`.

`run` installs requirements/run.txt, `test` requirements/test.txt, both pinned and hashed. Does nothing that was done
before: a stamp in `.venv` holds what was installed from which file. An install that did not end is begun afresh.
What goes wrong gets one sentence with its cure on standard error; pip's own words only where they say more.
"""

import argparse
import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / "unfinished"
DEFAULT_PORT = "8000"
PIP_TRIES = 3
# What a person's pip settings say of where packages come from holds; what they say of where to install does not.
PIP_SETTINGS_THAT_HOLD = {
    "cache-dir",
    "cert",
    "client-cert",
    "default-timeout",
    "extra-index-url",
    "find-links",
    "index-url",
    "keyring-provider",
    "no-cache-dir",
    "no-index",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
    "use-feature",
}
# `pip config list` leaves files out. Newer versions of pip keep the settings per file, older ones in one dictionary.
LIST_PIP_SETTINGS = """
import json
from pip._internal.configuration import Configuration
found = Configuration(isolated=False)
found.load()
settings = {}
for name, value in found.items():
    settings.update(value if isinstance(value, dict) else {name: value})
print(json.dumps(settings))
"""
UNREACHABLE = re.compile(
    r"Retrying \(|Connection(Error|ResetError| broken)|NameResolution|Max retries|ReadTimeout|timed out"
)
NO_PACKAGE = re.compile(r"No matching distribution found for ([^\s(]+)")


class CannotPrepare(Exception):
    """Something that a person has to mend; the text is the sentence that says so."""


def main() -> None:
    """Check, install, and become the command after `--`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requirements", choices=["run", "test"])
    parser.add_argument("--port-free", action="store_true", help="fail if PORT can't be listened on")
    words, command = sys.argv[1:], []
    if "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    arguments = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if arguments.port_free:
            check_port(os.environ.get("PORT") or DEFAULT_PORT)
        install(arguments.requirements)
    except CannotPrepare as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(130)
    if command:
        os.chdir(ROOT)
        os.execv(command[0], command)  # noqa: S606 - the Makefile's own words


def check_port(text: str) -> None:
    """Raise CannotPrepare unless this machine's `text` is a port that can be listened on now."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise CannotPrepare(f"PORT is {text!r}; expected a number from 1 to 65535, as in: make up PORT=8001")
    port = int(text)
    for family, address in ((socket.AF_INET, ""), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
        except PermissionError:
            raise CannotPrepare(
                f"Port {port} is reserved for the system's administrator; take one above 1023: make up PORT=8000"
            ) from None
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                other = port + 1 if port < 65_535 else 8000
                raise CannotPrepare(
                    f"Port {port} is already used by another program; end that one or take another port: "
                    f"make up PORT={other}"
                ) from None
            # A machine without IPv6 has nothing to be busy there.


def install(name: str) -> None:
    """Bring `.venv` up to requirements/{name}.txt; one process at a time, no work when nothing changed."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    stamp = VENV / f"installed-{name}"
    wanted = fingerprint(requirements)
    if is_installed(stamp, wanted):
        return
    with one_at_a_time():
        if is_installed(stamp, wanted):
            return
        make_venv()
        stamp.unlink(missing_ok=True)
        UNFINISHED.touch()
        print(f"Installing {requirements.relative_to(ROOT)} into .venv (once; about half a minute) …", flush=True)
        run_pip(requirements)
        UNFINISHED.unlink()
        stamp.write_text(wanted)


def is_installed(stamp: Path, wanted: str) -> bool:
    """Whether the last install of this kind ended well and was of the same file, Python and place."""
    try:
        return stamp.read_text() == wanted and not UNFINISHED.exists() and PYTHON.exists()
    except OSError:
        return False


def fingerprint(requirements: Path) -> str:
    """Return what an install depends on, in one line."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    return f"{digest} {sys.version.split()[0]} {VENV}"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the lock of this checkout, so that two commands started together do not install into each other."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_venv() -> None:
    """Make `.venv`, or make it again when it is unfinished, was moved, or its Python is another one."""
    if VENV.exists() and not UNFINISHED.exists() and venv_works():
        return
    if VENV.exists():
        print("Making .venv again: the one here is unfinished, was moved, or has another Python …", flush=True)
        shutil.rmtree(VENV)
    ensure_venv_module()
    VENV.mkdir()
    UNFINISHED.touch()
    made = run([sys.executable, "-I", "-m", "venv", str(VENV)])
    if made.returncode:
        raise CannotPrepare(f"The virtual environment .venv could not be made: {last_line(made.stdout)}")


def venv_works() -> bool:
    """Whether `.venv` has this Python, in this place, and pip."""
    probe = "import pip, sys; print(sys.version.split()[0], sys.prefix)"
    try:
        answer = run([str(PYTHON), "-I", "-c", probe])
        shebang = (VENV / "bin" / "pip").read_bytes().split(b"\n", 1)[0].decode()
    except (OSError, UnicodeDecodeError):
        return False
    here = f"{sys.version.split()[0]} {VENV}"
    return answer.returncode == 0 and answer.stdout.strip() == here and str(VENV) in shebang


def ensure_venv_module() -> None:
    """Debian ships `venv` apart from Python: install it when that is allowed, else say how."""
    if run([sys.executable, "-I", "-c", "import ensurepip, venv"]).returncode == 0:
        return
    package = "python{}.{}-venv".format(*sys.version_info)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {package}, which this Python lacks …", flush=True)
        if run(["sh", str(ROOT / "deploy" / "apt_install.sh"), package]).returncode == 0:
            return
    raise CannotPrepare(
        f"This Python has no venv module: install it (Debian and Ubuntu: apt-get install {package}), "
        "then run make again."
    )


def run_pip(requirements: Path) -> None:
    """Install ready-made packages; build from source only what has none, and only where a compiler is."""
    failed = pip_install(requirements, "--only-binary=:all:")
    for attempt in range(1, PIP_TRIES):
        if failed is None or not UNREACHABLE.search(failed):
            break
        print("The package index did not answer; trying again …", flush=True)
        time.sleep(2.0 * attempt)
        failed = pip_install(requirements, "--only-binary=:all:")
    if failed is None:
        return
    if UNREACHABLE.search(failed):
        raise CannotPrepare(
            "The package index could not be reached, so nothing was installed: check the network connection and "
            f"`pip config list`, then run make again. pip said: {last_line(failed)}"
        )
    missing = NO_PACKAGE.search(failed)
    if missing is None:
        raise CannotPrepare(f"{failed}\npip could not install {requirements.relative_to(ROOT)}; its words are above.")
    build_from_source(requirements, missing[1])


def build_from_source(requirements: Path, package: str) -> None:
    """Install `requirements`, of which `package` has to be compiled here."""
    machine = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {os.uname().machine}"
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CC") or "cc", "gcc", "clang")):
        raise CannotPrepare(
            f"The package {package} has no ready-made file for {machine} and there is no C compiler to build it: "
            "install one (Debian and Ubuntu: apt-get install build-essential python3-dev) or another Python "
            "(3.11 to 3.13), then run make again."
        )
    print(f"The package {package} has no ready-made file for {machine}; building it (some minutes) …", flush=True)
    failed = pip_install(requirements, "--prefer-binary")
    if failed is not None:
        raise CannotPrepare(
            f"{failed}\nThe package {package} could not be built for {machine}; the compiler's words are above. "
            "Python 3.11 to 3.13 need no compiler."
        )


def pip_install(requirements: Path, *options: str) -> str | None:
    """Run pip; return its output if it failed."""
    pip = [str(PYTHON), "-I", "-m", "pip", "install", "--require-hashes", "--no-warn-script-location", *options]
    done = run([*pip, "--requirement", str(requirements)], environment=pip_environment())
    return done.stdout.strip() if done.returncode else None


def pip_environment() -> dict[str, str]:
    """Return this environment with only those of the person's pip settings that hold, wherever they are written."""
    listed = run([str(PYTHON), "-I", "-c", LIST_PIP_SETTINGS])
    if listed.returncode:  # a pip that is built otherwise: it takes the settings as they are
        return {**os.environ}
    held: dict[str, str] = {}
    settings: dict[str, str] = json.loads(last_line(listed.stdout))
    for wanted in ("global", "install", ":env:"):  # what comes later wins, as in pip
        for key, value in settings.items():
            section, _, name = key.rpartition(".")
            if section == wanted and name in PIP_SETTINGS_THAT_HOLD and value:
                held[f"PIP_{name.upper().replace('-', '_')}"] = " ".join(value.split())
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return {
        **inherited,
        **held,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }


def run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end with its output captured; it ends with us when we are told to stop."""
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            process.terminate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "nothing")


if __name__ == "__main__":
    main()
