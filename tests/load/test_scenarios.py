"""The scenarios of `make bench` with few subscribers: nothing is said of speed, only that the figures would count."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.load.scenarios import CALLERS_SOURCE, SCENARIOS, Options
from tests.load.webhook_fan_out import measure_fan_out
from tests.load.xmpp import measure_xmpp
from tests.load.yardsticks import accepts_beside_nchan, publishing_beside_pushpin

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the load generators stand on epoll"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generators are compiled with cc"),
]
FEW = Options(subscribers=100, seconds=0.3, rounds=2, transports=("poll",))
BESIDE_PEERS = {"publish": publishing_beside_pushpin, "accepts": accepts_beside_nchan}
ALL = SCENARIOS | BESIDE_PEERS | {"webhooks": measure_fan_out, "xmpp": measure_xmpp}


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_everybody_gets_everything_once(name: str, tmp_path: Path) -> None:
    figures = asyncio.run(ALL[name](FEW, tmp_path))

    assert {figure.scenario for figure in figures} == {name}
    assert [figure.fault for figure in figures if figure.fault] == []
    assert all(figure.value > 0 for figure in figures if name not in ("accepts", "idle", "memory", "channels"))


def test_the_callers_are_one_file_that_compiles_without_a_warning(tmp_path: Path) -> None:
    strict = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    built = subprocess.run(["cc", *strict, "-o", tmp_path / "callers", CALLERS_SOURCE], capture_output=True, text=True)

    assert (built.stderr, built.returncode) == ("", 0)
