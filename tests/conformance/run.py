"""`make conformance`: the Autobahn TestSuite's fuzzing client against an echo on the edge's own WebSocket class.

Every case has to be OK, or explained in docs/topics/conformance.md; the exit status says so. Without Python 2.7, which
the suite needs, nothing is tried and that is said.
"""

import argparse
import subprocess
import sys

from tests.conformance import autobahn
from tests.conformance.echo import PATH
from tests.load.server import ROOT
from tests.servers.command import clean_environment, free_port, started

START_TIMEOUT_S = 30.0


def main() -> None:
    """Install, run, and tell what is not OK."""
    parser = argparse.ArgumentParser(prog="make conformance", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=autobahn.CASES, help="groups or cases, as in 6.* or 7.1.5")
    arguments = parser.parse_args()
    try:
        python = autobahn.find_python()
    except autobahn.CannotRun as reason:
        print(reason)
        return
    try:
        autobahn.FOLDER.mkdir(parents=True, exist_ok=True)
        autobahn.install(python)
        port = free_port()
        command = [sys.executable, "-m", "tests.conformance.echo", str(port)]
        with started(command, folder=ROOT, environment=clean_environment()) as echo:
            echo.wait_for_line("ready: ", timeout_s=START_TIMEOUT_S)
            verdicts = autobahn.run(python, f"ws://127.0.0.1:{port}{PATH}", arguments.cases)
    except autobahn.CannotRun as problem:
        sys.exit(str(problem))
    except subprocess.TimeoutExpired:
        sys.exit(f"the suite did not end within {autobahn.RUN_TIMEOUT_S:.0f} s")
    except KeyboardInterrupt:
        sys.exit(130)
    tell(verdicts, echo.output)


def tell(verdicts: list[autobahn.Verdict], output: str) -> None:
    """Print the outcome; exit with a fault if a case is not OK, or if the server said more than it should."""
    print(f"{len(verdicts)} cases: {autobahn.summarise(verdicts)}")
    for verdict in verdicts:
        if verdict.explanation:
            print(f"{verdict.case} {verdict.behaviour}: {verdict.explanation}")
    print(f"details: {(autobahn.REPORT / 'index.html').relative_to(ROOT)}")
    problems = list(autobahn.faults(verdicts))
    if "Traceback" in output:
        problems.append(f"the server logged a traceback:\n{output}")
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
