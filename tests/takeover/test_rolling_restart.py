"""Every edge is replaced, one after the other, by SIGTERM: all are told to come back, nothing is lost or repeated."""

import asyncio

from tests.edge.worlds import until
from tests.load.listeners import Crowd, SteadyPublisher
from tests.servers.edges import Installation, end
from tests.takeover.conftest import StartEdge
from tests.takeover.test_takeover import CHANNELS, LISTENERS, PUBLISHES_PER_S

EDGES = 2
END_TIMEOUT_S = 30.0


async def test_a_rolling_restart_loses_and_repeats_nothing(
    installation: Installation, start_edge: StartEdge, crowd: Crowd
) -> None:
    edges = [await asyncio.to_thread(start_edge, *_control(installation, name)) for name in "ab"[:EDGES]]
    await crowd.gather(LISTENERS, CHANNELS)
    publisher = SteadyPublisher(crowd, channels=CHANNELS, per_s=PUBLISHES_PER_S)
    publishing = asyncio.create_task(publisher.run())

    for old, name in zip(edges, "cd", strict=False):
        await asyncio.to_thread(start_edge, *_control(installation, name))
        assert await asyncio.to_thread(end, old, timeout_s=END_TIMEOUT_S) == 0, old.output
    publisher.stop()
    tops = crowd.tops(await publishing)
    await crowd.wait_until_all_have(tops)

    assert tops
    assert crowd.faults(tops) == []
    assert crowd.kept == 0
    untold = {name.partition(" ")[0] for name in crowd.losses} - {"told"}
    assert untold <= {"poll"}, "a poll's connection can be closed between two polls, as HTTP allows"


async def test_draining_keeps_its_pace_and_its_limit(installation: Installation, crowd: Crowd) -> None:
    """At 50 a second, 100 would take 2 seconds; within half a second it has to be faster."""
    slow, quick = dict(installation.environment), dict(installation.environment)
    slow |= {"DRAIN_PER_S": "50", "DRAIN_LIMIT_S": "30"}
    quick |= {"DRAIN_PER_S": "1", "DRAIN_LIMIT_S": "0.5"}

    assert 1.5 < await _drain_for(installation, crowd, slow) < 8
    assert await _drain_for(installation, crowd, quick) < 1.5
    assert set(crowd.losses) == {"told"}


async def _drain_for(installation: Installation, crowd: Crowd, environment: dict[str, str]) -> float:
    """Return how long it took from the first of 100 connections that were closed to the last."""
    usual, installation.environment = installation.environment, environment
    try:
        with installation.edge() as edge:
            await crowd.gather(100, 1, ["websocket", "sse"])
            crowd.comes_back = False
            crowd.lost_at.clear()
            assert await asyncio.to_thread(end, edge) == 0
            await until(lambda: len(crowd.lost_at) == 100)
            return crowd.lost_at[-1] - crowd.lost_at[0]
    finally:
        installation.environment = usual


def _control(installation: Installation, name: str) -> tuple[str, str]:
    return ("--control", str(installation.data_dir / f"{name}.sock"))
