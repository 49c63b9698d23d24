"""The Autobahn TestSuite: where its Python 2.7 is, how it is installed and run, and what its verdicts mean."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.load.server import ROOT

PACKAGE = "autobahntestsuite==0.8.2"  # the last that has all cases; newer ones do not import
FOLDER = ROOT / "build" / "conformance"
SITE = FOLDER / "site"
INSTALLED = SITE / ".installed"  # holds PACKAGE once it is there whole
REPORT = FOLDER / "report"
AGENT = "Fanout Cloud"
#: 9 measures speed; 12 and 13, on compression, take half an hour.
CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*")
#: The suite is imported from a folder of its own, so that nothing of it gets into the machine's Python.
START = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
RUN_TIMEOUT_S = 600.0

#: Cases, or groups of them, that are not OK, each with its reason; docs/topics/conformance.md argues them.
EXPLAINED = {
    "6.4.3": "bad UTF-8 within a frame is found when the frame is complete",
    "6.4.4": "bad UTF-8 within a frame is found when the frame is complete",
    **{f"13.{group}": "asks for a smaller window of the server, which could not be shared" for group in (3, 4, 5, 6)},
}
_NOT_QUITE = {"NON-STRICT", "UNIMPLEMENTED"}
_PASSES = {"OK", "INFORMATIONAL"}


class CannotRun(Exception):
    """The suite can't be run here; the text is the sentence that says why, and the cure."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite says of one case: how the messages went, and how the connection ended."""

    case: str
    behaviour: str
    closing: str

    @property
    def passes(self) -> bool:
        return {self.behaviour, self.closing} <= _PASSES

    @property
    def explanation(self) -> str:
        """Why it need not pass; "" where there is no reason, or it failed for good."""
        if self.behaviour not in _NOT_QUITE:
            return ""
        return EXPLAINED.get(self.case) or EXPLAINED.get(self.case.rpartition(".")[0], "")


def find_python() -> Path:
    """Return a Python 2.7 with pip: of pyenv, or of the system."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob("versions/2.7*/bin/python2.7"), reverse=True)
    if (system := shutil.which("python2.7", path="/usr/bin:/usr/local/bin")) is not None:
        found.append(Path(system))
    for python in found:
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return python
    raise CannotRun(
        "left out: the Autobahn TestSuite runs on Python 2.7 only, and none with pip is here: pyenv install 2.7.18"
    )


def install(python: Path) -> None:
    """Install the suite into build/conformance, unless it is there."""
    if INSTALLED.exists() and INSTALLED.read_text() == PACKAGE:
        return
    shutil.rmtree(SITE, ignore_errors=True)
    command = [python, "-W", "ignore", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*command, "--target", SITE, PACKAGE], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise CannotRun(f"{PACKAGE} can't be installed for Python 2.7; is there a network? pip says: {last}")
    INSTALLED.write_text(PACKAGE)


def run(python: Path, url: str, cases: Sequence[str]) -> list[Verdict]:
    """Have the suite's fuzzing client try every case on the server at `url`."""
    shutil.rmtree(REPORT, ignore_errors=True)
    servers = [{"agent": AGENT, "url": url}]
    plan = {"outdir": str(REPORT), "servers": servers, "cases": list(cases), "exclude-cases": []}
    (FOLDER / "plan.json").write_text(json.dumps(plan | {"exclude-agent-cases": {}}))
    command = [python, "-W", "ignore", "-c", START, SITE, "-m", "fuzzingclient", "-s", FOLDER / "plan.json"]
    with (FOLDER / "wstest.log").open("w") as log:
        done = subprocess.run(command, stdout=log, stderr=log, timeout=RUN_TIMEOUT_S, check=False)
    if done.returncode or not (REPORT / "index.json").exists():
        raise CannotRun(f"the suite ended with status {done.returncode}; its log is {FOLDER / 'wstest.log'}")
    return read_verdicts(json.loads((REPORT / "index.json").read_text())[AGENT])


def read_verdicts(index: dict[str, dict[str, str]]) -> list[Verdict]:
    """Return the verdicts in the order of the cases' numbers."""
    verdicts = [Verdict(case, entry["behavior"], entry["behaviorClose"]) for case, entry in index.items()]
    return sorted(verdicts, key=lambda verdict: [int(part) for part in verdict.case.split(".")])


def faults(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield a sentence for each case that neither passes nor is explained."""
    for verdict in verdicts:
        if not verdict.passes and not verdict.explanation:
            yield f"case {verdict.case}: {verdict.behaviour}, closing {verdict.closing}: see {REPORT}/index.html"


def summarise(verdicts: Sequence[Verdict]) -> str:
    """Return how many cases had which outcome."""
    counts = Counter(verdict.behaviour for verdict in verdicts)
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
