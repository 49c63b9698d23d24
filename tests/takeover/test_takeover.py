"""Deploys that nobody notices, with real processes: `manage.py edge --takeover` under steady publishing.

`LISTENERS=5000 make test-slow ARGS='tests/takeover'` runs the same with more; 2 cores take about 5,000 at 200/s.
"""

import asyncio
import os
import signal
import socket
import time

import pytest

from tests.load.listeners import Crowd, SteadyPublisher
from tests.servers.command import Command
from tests.servers.edges import START_TIMEOUT_S, Installation, end
from tests.takeover.conftest import StartEdge

LISTENERS = int(os.environ.get("LISTENERS", "400"))
PUBLISHES_PER_S = 200.0 if LISTENERS >= 1000 else 50.0
CHANNELS = max(10, LISTENERS // 50)
END_TIMEOUT_S = 30.0


async def _replace(start_edge: StartEdge, old: Command) -> Command:
    """Take over from `old`; return the new edge once the old one has ended well."""
    new = await asyncio.to_thread(start_edge, "--takeover")
    await asyncio.to_thread(new.wait_for_line, "takeover: ", timeout_s=END_TIMEOUT_S)
    assert await asyncio.to_thread(old.wait_for_end, timeout_s=END_TIMEOUT_S) == 0, old.output
    assert "Traceback" not in old.output + new.output
    return new


async def test_two_takeovers_in_a_row_keep_the_connections_and_lose_and_repeat_nothing(
    start_edge: StartEdge, crowd: Crowd
) -> None:
    edge = await asyncio.to_thread(start_edge)
    await crowd.gather(LISTENERS, CHANNELS)
    publisher = SteadyPublisher(crowd, channels=CHANNELS, per_s=PUBLISHES_PER_S)
    publishing = asyncio.create_task(publisher.run())

    for _ in range(2):
        edge = await _replace(start_edge, edge)
    publisher.stop()
    tops = crowd.tops(await publishing)
    await crowd.wait_until_all_have(tops)

    assert tops
    assert crowd.faults(tops) == []
    assert crowd.kept >= 0.99 * LISTENERS, crowd.losses
    assert await asyncio.to_thread(end, edge) == 0


async def test_if_the_new_process_is_killed_the_old_one_serves_on(
    installation: Installation, start_edge: StartEdge, crowd: Crowd
) -> None:
    """Killed at whatever moment it has reached: who was with it already comes back, the others notice nothing."""
    edge = await asyncio.to_thread(start_edge)
    await crowd.gather(LISTENERS, CHANNELS)
    publisher = SteadyPublisher(crowd, channels=CHANNELS, per_s=PUBLISHES_PER_S)
    publishing = asyncio.create_task(publisher.run())

    new = await asyncio.to_thread(start_edge, "--takeover")
    new.process.kill()
    await asyncio.to_thread(new.wait_for_end, timeout_s=END_TIMEOUT_S)
    if await asyncio.to_thread(_serves_on, edge):
        edge = await _replace(start_edge, edge)
    else:
        edge = await asyncio.to_thread(start_edge, "--takeover")  # it had handed over everything by then
    publisher.stop()
    tops = crowd.tops(await publishing)
    await crowd.wait_until_all_have(tops)

    assert crowd.faults(tops) == []
    assert await asyncio.to_thread(end, edge) == 0


def _serves_on(edge: Command) -> bool:
    try:
        edge.wait_for_line("takeover: ", timeout_s=2.0)
    except AssertionError:
        return edge.process.poll() is None
    return False


def test_without_an_edge_a_new_one_starts_normally_and_says_so(start_edge: StartEdge) -> None:
    edge = start_edge("--takeover")

    assert "no edge answers at" in edge.wait_for_line("takeover: ", timeout_s=5)
    assert "starting normally" in edge.output
    assert end(edge) == 0


def test_a_socket_that_a_killed_edge_left_is_no_edge(start_edge: StartEdge, installation: Installation) -> None:
    killed = start_edge()
    _wait_for_control(installation)
    killed.process.kill()
    killed.process.wait()

    edge = start_edge("--takeover")

    assert "no edge answers at" in edge.wait_for_line("takeover: ", timeout_s=5)
    assert end(edge) == 0


def test_an_edge_that_is_stuck_is_named_and_the_new_one_serves_beside_it(
    start_edge: StartEdge, installation: Installation
) -> None:
    stuck = start_edge()
    _wait_for_control(installation)
    os.kill(stuck.process.pid, signal.SIGSTOP)
    try:
        edge = start_edge("--takeover")

        line = edge.wait_for_line("takeover: ", timeout_s=5)
        assert f"process {stuck.process.pid}, does not hand over" in line
    finally:
        stuck.process.kill()
    assert end(edge) == 0


def test_a_second_edge_on_the_port_serves_too_and_says_who_can_be_taken_over(start_edge: StartEdge) -> None:
    first = start_edge()
    second = start_edge()

    assert f"process {first.process.pid} has " in second.wait_for_line("process ", timeout_s=5)
    assert end(second) == 0
    assert end(first) == 0


def test_a_port_of_somebody_else_is_refused(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        installation.port = foreign.getsockname()[1]
        with installation.starting_edge("--takeover") as edge:
            assert edge.wait_for_end(timeout_s=START_TIMEOUT_S) == 3
        with installation.starting_edge() as edge:
            assert edge.wait_for_end(timeout_s=START_TIMEOUT_S) == 1

    assert "in use" in edge.output


def _wait_for_control(installation: Installation) -> None:
    deadline = time.monotonic() + 10
    while not installation.control.exists():
        if time.monotonic() > deadline:
            pytest.fail("the edge does not listen for takeovers")
        time.sleep(0.02)
