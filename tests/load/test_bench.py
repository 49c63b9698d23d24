"""The benchmark's short form: it says nothing of speed, it makes sure that the figures would count."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.load.generator import Load, Measured
from tests.load.measure import measure

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the load generator stands on epoll"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator is compiled with cc"),
]


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_each_of_many_subscribers_gets_each_item_exactly_once(transport: str) -> None:
    figures = measure(transport, argparse.Namespace(subscribers=200, rounds=2, items=3))

    assert figures.measured.faults() == []
    assert [one["arrived"] for one in figures.measured.rounds] == [600, 600]
    assert figures.row()["connects_per_s"] > 0


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"arrived": 9, "missing": 1}, "round 1: 1 missed it, 0 too many arrived"),
        ({"extra": 2}, "round 1: 0 missed it, 2 too many arrived"),
        ({"status": 429}, "round 1: the publish was answered with 429"),
    ],
)
def test_figures_are_void_when_the_counts_are_wrong(change: dict[str, Any], fault: str) -> None:
    right = {"round": 1, "arrived": 10, "missing": 0, "extra": 0, "status": 200}
    load = Load(port=1, subscribers=10, request=b"", ready="", publish=b"", rounds=1)
    end = {"lost": 0, "extra": 0, "timed_out": False}

    assert Measured(load, {"ready": 10}, [right], end).faults() == []
    assert Measured(load, {"ready": 10}, [right | change], end).faults() == [fault]


def test_the_generator_is_one_file_that_compiles_without_a_warning(tmp_path: Path) -> None:
    source = Path(__file__).with_name("fanbench.c")
    strict = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    built = subprocess.run(["cc", *strict, "-o", tmp_path / "fanbench", source], capture_output=True, text=True)

    assert built.stderr == ""
    assert built.returncode == 0
