"""The demo with few subscribers: everybody is counted, a miss would show. The page: tests/browser."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.load.crowd import SOURCE, Crowd, shares
from tests.load.demo import run
from tests.load.demo.page_server import serving_page
from tests.load.demo.show import CURVE_POINTS, Moments, Show, curve, judge

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the load generator stands on epoll"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator is compiled with cc"),
]
MOMENTS = Moments(published_at=10.0, answered_at=10.02, connect_s=1.5, bytes_before=1000, bytes_held=41_000)


def _crowd(subscribers: int, arrivals: list[float], repeated: int = 0) -> Crowd:
    return Crowd(1, subscribers, ready=subscribers, received=len(arrivals), repeated=repeated, arrivals=arrivals)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["websocket", "poll"])
def test_everybody_gets_the_item_once(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "REPORT", run.ROOT / "build" / "demo-test.json")
    monkeypatch.setattr(run, "TEXT", run.ROOT / "build" / "demo-test.txt")
    words = ["--subscribers", "1000", "--edges", "2", "--transport", transport]

    result = asyncio.run(run.demonstrate(run.parse_arguments(words)))

    assert result.faults() == []
    assert (result.received, result.edges) == (1000, 2)
    assert 0 < result.min_ms <= result.p50_ms <= result.p99_ms <= result.max_ms
    assert run.TEXT.read_text() in capsys.readouterr().out


def test_times_count_from_the_publish_over_all_crowds() -> None:
    result = judge([_crowd(2, [10.1, 10.3]), _crowd(2, [10.2, 10.4])], "poll", MOMENTS)

    assert [round(ms) for ms in (result.min_ms, result.avg_ms, result.p50_ms, result.max_ms)] == [100, 250, 200, 400]
    assert (result.subscribers, result.missing, result.bytes_per_connection) == (4, 0, 10_000)
    assert result.faults() == []


def test_a_miss_and_a_repetition_are_faults() -> None:
    result = judge([_crowd(3, [10.1, 10.2], repeated=2)], "websocket", MOMENTS)

    assert result.faults() == ["1 subscribers did not get it", "it came 2 times too often"]


def test_the_curve_has_few_points_and_ends_with_everybody() -> None:
    points = curve([_crowd(5000, [10 + number / 5000 for number in range(5000)])], 10.0)

    assert len(points) <= CURVE_POINTS + 3
    assert points[-1][1] == 5000


def test_subscribers_are_shared_out_evenly() -> None:
    assert shares(10, 3) == [4, 3, 3]


def test_edges_follow_from_file_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.resource, "getrlimit", lambda _: (1024, 20_000))

    assert [run.edges_for(number) for number in (1, 17_500, 17_501, 100_000)] == [1, 1, 2, 6]


def test_the_bar_says_how_far_it_is() -> None:
    show = Show("websocket", wanted=100_000, edges=6)
    assert "6 edges" in show.line()

    show.enter("connecting")
    show.note(ready=25_000, received=0)
    assert show.line().startswith(f"[{'#' * 10}{'.' * 30}]  25,000 of 100,000 connected")

    show.enter("publishing")
    show.note(ready=100_000, received=100_000)
    assert show.line().startswith(f"[{'#' * 40}] 100,000 of 100,000 received")


async def test_the_page_is_told_of_every_phase() -> None:
    show = Show("websocket", wanted=10, edges=1)
    async with serving_page(show) as page, httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("GET", page + "events") as events:
            lines = (line async for line in events.aiter_lines() if line)
            assert '"phase": "starting"' in await anext(lines)
            show.enter("connecting")
            assert '"phase": "connecting"' in await anext(lines)
        assert (await client.get(page + "../../etc/passwd")).status_code == 404


def test_the_crowd_is_one_file_that_compiles_without_a_warning(tmp_path: Path) -> None:
    strict = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror"]
    built = subprocess.run(["cc", *strict, "-o", tmp_path / "crowd", SOURCE], capture_output=True, text=True)

    assert (built.stderr, built.returncode) == ("", 0)
