"""One edge's place in the row: whom it follows, who may follow it, and that its end waits for no one for ever."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanoutcloud.edge.takeover.control_socket import Peer, connect
from fanoutcloud.edge.takeover.succession import Delivery, Succession
from tests.edge.takeover.handover_worlds import Handover
from tests.edge.worlds import PATIENCE_S, until

MakeSuccession = Callable[..., Succession]
PATH = Path("edge.sock")


@pytest.fixture
def said() -> list[str]:
    """What a person who deploys was told."""
    return []


@pytest.fixture
def make_succession(
    handover: Handover, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MakeSuccession:
    monkeypatch.chdir(tmp_path)

    def make(*, takes_over: bool = False) -> Succession:
        edge = handover.old
        delivery = Delivery(edge.hub, edge.world.broker, edge.directory)
        listener = edge.server.listener
        return Succession(delivery, PATH, bind=lambda: listener, takes_over=takes_over, limit_s=5.0, say=said.append)

    return make


async def _connect() -> Peer:
    await until(PATH.exists)
    peer = connect(PATH)
    assert peer is not None
    return peer


async def _stop(succession: Succession, running: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(PATIENCE_S):
        await succession.stop(running)


async def test_with_nobody_to_follow_it_binds_and_says_why(
    handover: Handover, make_succession: MakeSuccession, said: list[str]
) -> None:
    listeners = await make_succession(takes_over=True).find_listeners()

    assert listeners == [handover.old.server.listener]
    assert said == ["takeover: no edge answers at edge.sock; starting normally"]


async def test_an_idle_edge_ends_at_once_and_takes_its_socket_away(
    handover: Handover, make_succession: MakeSuccession
) -> None:
    server: Any = handover.old.server
    succession = make_succession()
    running = asyncio.create_task(succession.run(server))
    await until(PATH.exists)

    await _stop(succession, running)

    assert connect(PATH) is None


async def test_an_edge_that_is_asked_while_it_ends_does_not_wait_to_be_asked_again(
    handover: Handover, make_succession: MakeSuccession
) -> None:
    server: Any = handover.old.server
    succession = make_succession()
    running = asyncio.create_task(succession.run(server))
    peer = await _connect()
    await until(lambda: succession.is_moving)

    stopping = asyncio.create_task(_stop(succession, running))
    await asyncio.sleep(0)
    assert not running.done()
    peer.close()
    await stopping

    assert running.done()
    assert not running.cancelled()


async def test_who_has_handed_over_ends(handover: Handover, make_succession: MakeSuccession, said: list[str]) -> None:
    await handover.old.stream()
    server: Any = handover.old.server
    running = asyncio.create_task(make_succession().run(server))

    taken = await handover.new.take_over(await _connect())
    await asyncio.wait_for(running, PATIENCE_S)

    assert taken.connections == 1
    assert server.should_exit
    assert "serves now; it has 1 connections" in said[-1]
