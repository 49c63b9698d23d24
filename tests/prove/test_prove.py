"""The short form of `make prove`: a whole installation under a few kills. `make prove` is the proof, this its guard."""

import os
import sys

import pytest

from tests.prove.installation import ROOT
from tests.servers.command import started

RUN_TIMEOUT_S = 220.0


@pytest.mark.slow
@pytest.mark.timeout(RUN_TIMEOUT_S + 20)
def test_nothing_is_lost_and_nothing_comes_twice_while_processes_are_killed() -> None:
    options = ["--kills", "8", "--minutes", "0.25", "--edges", "2"]
    with started([sys.executable, "-m", "tests.prove.run", *options], folder=ROOT, environment=os.environ) as prover:
        status = prover.wait_for_end(timeout_s=RUN_TIMEOUT_S)

    assert status == 0, prover.output
