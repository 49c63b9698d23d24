"""The webhooks scenario with few events: nothing is said of speed, only that the figures would count."""

import asyncio
import sys
import tempfile
from pathlib import Path

import pytest

from tests.load.scenarios import Options
from tests.load.webhook_backlog import measure_backlog
from tests.load.webhooks import measure_webhooks


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform != "linux", reason="CPU time is read from /proc")
def test_everything_is_delivered_with_and_without_tls() -> None:
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as folder:  # PostgreSQL's user may look into it
        figures = asyncio.run(measure_webhooks(Options(subscribers=400, seconds=0.2), Path(folder)))

    assert [figure.fault for figure in figures if figure.fault] == []
    assert len([figure for figure in figures if figure.target]) == 4


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_what_is_due_beside_a_backlog_is_found_by_an_index() -> None:
    with tempfile.TemporaryDirectory(prefix="fanout-bench-") as folder:
        figures = asyncio.run(measure_backlog(Options(subscribers=200, rounds=2), Path(folder)))

    assert [figure.fault for figure in figures if figure.fault] == []
