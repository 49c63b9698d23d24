"""Run every check that needs no server, all of them even if one fails, and sum up which did: `make check`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TEMPLATES = "templates"
CLIENT = "fanoutcloud/client"  # a package by itself, with settings of its own
AT_ONCE = 2
CHECK_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Check:
    """A command that must end with 0; its output is shown when it does not."""

    name: str
    command: tuple[str, ...]
    cure: str = ""
    folder: str = "."  # where it runs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a check."""

    check: Check
    passed: bool
    took_s: float
    output: str


#: Rules of the house. What they ask of import contracts and committed files are checks by themselves here.
ARCHITECTURE = "tests/test_architecture.py"
CHECKED_ANYWAY = ("test_import_contracts_hold", "test_no_committed_file_names_a_machine_or_a_registry")

CHECKS = (
    Check("types", ("mypy",)),
    Check("format", ("ruff", "format", "--check", "--output-format", "concise", "."), "make format"),
    Check("lint", ("ruff", "check", "--output-format", "concise", "."), "make format mends some of it"),
    Check("import contracts", ("lint-imports",)),
    Check(
        "architecture",
        ("pytest", ARCHITECTURE, "--quiet", *(f"--deselect={ARCHITECTURE}::{name}" for name in CHECKED_ANYWAY)),
    ),
    Check("types of the client", ("mypy",), folder=CLIENT),
    Check("import contracts of the client", ("lint-imports", "--no-cache"), folder=CLIENT),
    Check("template form", ("djlint", TEMPLATES, "--check"), "make format"),
    Check("template lint", ("djlint", TEMPLATES, "--lint", "--quiet")),
    Check("migrations", ("python", "manage.py", "makemigrations", "--check", "--dry-run"), "manage.py makemigrations"),
    Check("system checks", ("python", "manage.py", "check", "--fail-level", "WARNING")),
    Check("committed files", ("python", "deploy/committed_files.py")),
)


def main() -> None:
    """Run the checks named on the command line, or all; exit 1 if one failed."""
    names = sys.argv[1:]
    checks = [check for check in CHECKS if not names or check.name in names]
    with tempfile.TemporaryDirectory(prefix="fanout-check-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = []
        for outcome in pool.map(lambda check: run(check, Path(folder)), checks):
            report(outcome)
            outcomes.append(outcome)
    failed = [outcome.check.name for outcome in outcomes if not outcome.passed]
    if failed:
        sys.exit(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")
    print(f"all {len(checks)} checks passed")


def run(check: Check, folder: Path) -> Outcome:
    """Run one check beside an empty data folder of its own."""
    program = str(BIN / check.command[0])
    if not os.path.exists(program):
        program = shutil.which(check.command[0]) or program
    data = folder / check.name.replace(" ", "-")
    started = time.monotonic()
    try:
        done = subprocess.run(
            [program, *check.command[1:]],
            cwd=ROOT / check.folder,
            env={**os.environ, "DATA_DIR": str(data)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=CHECK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Outcome(check, passed=False, took_s=time.monotonic() - started, output=str(problem))
    return Outcome(check, done.returncode == 0, time.monotonic() - started, done.stdout.strip())


def report(outcome: Outcome) -> None:
    """Print one line, and what the check said if it failed."""
    print(f"{'ok    ' if outcome.passed else 'FAILED'}  {outcome.check.name} ({outcome.took_s:.1f} s)", flush=True)
    if not outcome.passed:
        cure = f"\n(cure: {outcome.check.cure})" if outcome.check.cure else ""
        print(outcome.output + cure + "\n", flush=True)


if __name__ == "__main__":
    main()
