"""Find what must not be committed: hosts of package registries, addresses in lock files, paths of one machine.

The hosts are not written here either: they are asked of the package clients' own settings on this machine.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILE = re.compile(r"^requirements/|(^|/)[\w.-]*lock[\w.-]*$")
LOCK_FILE_ADDRESS = re.compile(r"https?://|--(extra-)?index-url|--find-links|--trusted-host")
# A person's home or a build machine's folders; containers may have /app and /srv.
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:work|root|farm|home/\w+|Users/\w+)(?:/|\b(?=[\"'\s]))")
LISTENER_NAMES = {"localhost", "127.0.0.1", ""}


def main() -> None:
    """Print each finding; exit 1 if there is one."""
    found = list(find_faults())
    for fault in found:
        print(fault)
    sys.exit(1 if found else 0)


def find_faults() -> Iterator[str]:
    """Yield `path:line: what is wrong` over all files that git knows or would add."""
    hosts = registry_hosts()
    for name in committed_names():
        try:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, OSError):
            continue
        for number, line in enumerate(lines, 1):
            for fault in faults_of_line(name, line, hosts):
                yield f"{name}:{number}: {fault}"


def faults_of_line(name: str, line: str, hosts: set[str]) -> Iterator[str]:
    """Yield what is wrong with one line of the file `name`."""
    if any(host in line for host in hosts):
        yield "names a package registry's host"
    if LOCK_FILE.search(name) and LOCK_FILE_ADDRESS.search(line):
        yield "an address or index option in a lock file"
    if MACHINE_PATH.search(line) or (len(ROOT.parts) > 2 and f"{ROOT}/" in line):
        yield "a path of one machine"


def committed_names() -> list[str]:
    """Return the files of the next commit: those that git tracks, and new ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({name for name in listed.stdout.split("\0") if name})


def registry_hosts() -> set[str]:
    """Return the hosts that pip and npm on this machine take packages from."""
    commands = [[sys.executable, "-m", "pip", "config", "list"], ["npm", "config", "get", "registry"]]
    texts = [_output(command) for command in commands if shutil.which(command[0])]
    hosts = {urlsplit(address).hostname or "" for text in texts for address in re.findall(r"https?://[^\s'\"]+", text)}
    # pip's own defaults, in the words of pip itself.
    default = "from pip._internal.models.index import PyPI; print(PyPI.netloc, PyPI.file_storage_domain)"
    hosts.update(_output([sys.executable, "-c", default]).split())
    return hosts - LISTENER_NAMES


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


if __name__ == "__main__":
    main()
