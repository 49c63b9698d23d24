"""Held polls: answered once, when there is something, when time is up, or when the server goes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from fanoutcloud.core.own_hosts import OwnHosts
from fanoutcloud.edge.connections.held_poll import MAX_EARLY_BYTES, HeldPoll
from fanoutcloud.edge.connections.http_protocol import EdgeHttpProtocol, begin_http
from fanoutcloud.edge.site.sites import SiteNames
from tests.edge.worlds import until
from tests.fakes.transport import FakeTransport


class RecordingPoll:
    """The subscriber's side of a held poll."""

    def __init__(self) -> None:
        self.is_last = False
        self.wake: Callable[[], None] | None = None
        self.losses = 0
        self.departures = 0

    def response(self) -> bytes:
        return b"answer"

    def on_lost(self) -> None:
        self.losses += 1

    def on_left(self) -> None:
        self.departures += 1


class Link:
    """A held poll between a fake socket and its subscriber."""

    def __init__(self, *, timeout_s: float = 60.0, keeps_alive: bool = True) -> None:
        self.transport = FakeTransport()
        self.owner = RecordingPoll()
        self.connections: set[Any] = set()
        self.early: list[bytes] = []
        self.held = HeldPoll(
            self.transport,
            self.owner,
            timeout_s=timeout_s,
            connections=self.connections,
            begin_http=self._begin_http if keeps_alive else None,
        )

    def _begin_http(self, transport: asyncio.Transport, early: bytes) -> None:
        self.early.append(early)


@pytest.fixture
async def link() -> Link:
    return Link()


async def test_being_woken_answers_once_and_gives_the_connection_back(link: Link) -> None:
    assert link.owner.wake is not None
    link.owner.wake()
    link.owner.wake()
    assert link.transport.written == b""  # more may be published in this turn

    await until(lambda: bool(link.early))
    await asyncio.sleep(0)

    assert link.transport.written == b"answer"
    assert (link.early, link.connections) == ([b""], set())
    assert (link.owner.losses, link.owner.departures) == (1, 0)
    assert link.transport.closed_by is None


async def test_time_being_up_answers() -> None:
    link = Link(timeout_s=0.01)

    await until(lambda: bool(link.early))

    assert link.transport.written == b"answer"


async def test_a_client_that_wants_no_more_is_closed() -> None:
    link = Link(timeout_s=0.0, keeps_alive=False)

    await until(link.transport.is_closing)

    assert link.transport.written == b"answer"


async def test_what_comes_early_is_kept_for_after_the_answer() -> None:
    link = Link(timeout_s=0.01)
    link.held.data_received(b"GET /next ")
    link.held.data_received(b"HTTP/1.1")

    await until(lambda: bool(link.early))

    assert link.early == [b"GET /next HTTP/1.1"]


async def test_too_much_that_comes_early_ends_the_connection(link: Link) -> None:
    link.held.data_received(b"x" * (MAX_EARLY_BYTES + 1))

    assert link.transport.closed_by == "abort"


async def test_a_lost_connection_is_not_answered(link: Link) -> None:
    assert link.owner.wake is not None
    link.owner.wake()
    link.transport.lose()
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert link.transport.written == b""
    assert link.owner.wake is None
    assert (link.owner.losses, link.owner.departures) == (0, 1)
    assert (link.early, link.connections) == ([], set())


async def test_a_server_that_goes_down_answers_and_closes(link: Link) -> None:
    link.held.shutdown()

    assert link.transport.written == b"answer"
    await until(lambda: link.transport.closed_by == "close")


async def test_answers_go_out_before_any_connection_is_given_back(link: Link) -> None:
    another = Link()
    for one in (link, another):
        assert one.owner.wake is not None
        one.owner.wake()

    await asyncio.sleep(0)
    assert (link.transport.written, another.transport.written) == (b"answer", b"answer")
    assert link.early == another.early == []

    await asyncio.sleep(0)
    assert link.early == another.early == [b""]


async def test_what_comes_between_answer_and_next_request_is_not_lost(link: Link) -> None:
    assert link.owner.wake is not None
    link.owner.wake()
    await asyncio.sleep(0)

    link.held.data_received(b"GET /next")
    await asyncio.sleep(0)

    assert link.early == [b"GET /next"]


async def test_a_client_that_goes_with_its_answer_is_forgotten(link: Link) -> None:
    assert link.owner.wake is not None
    link.owner.wake()
    await asyncio.sleep(0)

    link.transport.lose()
    await asyncio.sleep(0)

    assert (link.owner.losses, link.connections, link.early) == (1, set(), [])


async def test_a_last_answer_ends_the_connection_whatever_the_client_wants(link: Link) -> None:
    link.owner.is_last = True
    assert link.owner.wake is not None

    link.owner.wake()
    await until(lambda: link.transport.closed_by is not None)

    assert (link.transport.written, link.early) == (b"answer", [])


@pytest.mark.parametrize(("unsent", "is_paused"), [(0, False), (65_536, False), (65_537, True)])
async def test_http_begins_anew_knowing_how_much_is_unsent(unsent: int, is_paused: bool) -> None:
    """Else a client that asks on and on without reading would have all answers kept for it."""
    app: Any = None
    config = uvicorn.Config(app, http=EdgeHttpProtocol, lifespan="off")
    config.load()
    protocol_class: Any = type("Configured", (EdgeHttpProtocol,), {"sites": SiteNames(OwnHosts("localhost"))})
    transport = FakeTransport()
    transport.write(b"x" * unsent)

    begin_http(protocol_class, config, ServerState(), {}, transport, b"")

    protocol: Any = transport.get_protocol()
    assert protocol.flow.write_paused is is_paused
    protocol.connection_lost(None)
