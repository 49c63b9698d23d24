"""What goes wrong between the edge and an origin: who is told what, over real connections."""

import asyncio

import httpx
import pytest

from fanoutcloud.core.activity import OriginFailure
from fanoutcloud.core.domains import Origin
from fanoutcloud.outbound.client import Patience
from fanoutcloud.outbound.gate import GateRules
from tests.edge.worlds import until
from tests.grip.worlds import origin_of, passing_to, proxying
from tests.outbound.worlds import FakeResolver
from tests.servers.command import free_port
from tests.servers.origin import Caller, answering, sending

ERROR = "Error while proxying to origin.\n"
REFUSES_AT_ONCE = Origin("127.0.0.1", 1)  # nobody may listen there


# -- what goes wrong


async def test_another_origin_is_tried_when_one_is_not_reached() -> None:
    async with passing_to(answering(b"second")) as (world, origin):
        world.set(origins=(REFUSES_AT_ONCE, origin_of(origin)))

        assert (await world.http.post("/", content=b"x")).content == b"second"
        [event] = world.events()
        assert (event.cause, event.origin) == ("connect_refused", "127.0.0.1:1")
        assert (await world.http.get("/")).content == b"second"
        assert len(world.events()) == 1, "for a while the one that works comes first"


FAILURES = {
    "refuses": (None, "connect_refused", "nothing answers"),
    "no answer": (sending(), "reset", "without an answer"),
    "dies in the head": (sending(b"HTTP/1.1 200 OK\r\nX-A: "), "reset", "in the middle of the answer's headers"),
    "garbage": (sending(b"\x00\x01garbage\r\n\r\n"), "http", "no HTTP"),
    "two lengths": (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "http", "no HTTP"),
    "a strange coding": (sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"), "http", "transfer coding"),
    "a huge head": (sending(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), "http", "bytes of headers"),
    "a switch": (sending(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "http", "switches"),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_an_origin_that_fails_is_a_502_and_its_owner_is_told(name: str) -> None:
    script, cause, words = FAILURES[name]
    async with passing_to(script or answering()) as (world, _):
        if script is None:
            world.set(origins=(REFUSES_AT_ONCE,))
        answer = await world.http.get("/path?query")
        world.set(is_debug=True)
        debug = await world.http.get("/path?query")

        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (502, ERROR, "text/plain")
        assert words in debug.text
        event = world.events()[0]
        assert isinstance(event, OriginFailure)
        assert (event.cause, event.method, event.path, event.status) == (cause, "GET", "/path?query", 502)
        assert words in event.message
        assert event.cure


async def test_the_header_that_is_wrong_is_named() -> None:
    async with passing_to(FAILURES["a strange coding"][0] or answering()) as (world, _):
        await world.http.get("/")

        assert world.events()[0].field == "Transfer-Encoding"


@pytest.mark.parametrize(
    "beginning",
    [
        b"Content-Length: 100\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
    ],
)
async def test_an_answer_that_breaks_off_breaks_off_at_the_client(beginning: bytes) -> None:
    async with passing_to(sending(b"HTTP/1.1 200 OK\r\n" + beginning)) as (world, _):
        async with world.http.stream("GET", "/") as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()
        await until(lambda: bool(world.events()))
        if not beginning.startswith(b"Content-Length"):  # without one, an older client has only the end to go by
            with pytest.raises(ConnectionResetError):
                await world.talk(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert world.events()[0].cause in ("reset", "http")


async def test_a_slow_origin_is_a_502() -> None:
    async def script(caller: Caller) -> None:
        await caller.gone()

    async with passing_to(script, patience=Patience(head_s=0.1)) as (world, _):
        assert (await world.http.get("/")).status_code == 502
        assert world.events()[0].cause == "timeout"


async def test_a_client_that_leaves_a_slow_origin_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanoutcloud.grip.leaving.LeaveWatch.__init__.__kwdefaults__", {"after_s": 0.01})

    async def script(caller: Caller) -> None:
        await caller.request()
        await caller.gone()

    async with passing_to(script) as (world, origin):
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: bool(origin.requests))
        writer.close()
        await until(lambda: origin.open == 0)
        assert world.events() == []


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin("10.0.0.1", 80), "private"),
        (Origin("169.254.169.254", 80), "link-local"),
        (Origin("2130706433", 80), "four decimal numbers"),
        (Origin("app.example.com", 80), "loopback"),
        (Origin("metadata.google.internal", 80), "private name"),
        (Origin("nowhere.example.com", 80), "does not resolve"),
    ],
)
async def test_an_origin_inside_is_not_connected_to(origin: Origin, words: str) -> None:
    resolver = FakeResolver(app_example_com=[["93.184.216.34", "::1"]])
    async with proxying(resolver=resolver, rules=GateRules()) as world:
        world.set(origins=(origin,), is_debug=True)
        answer = await world.http.get("/")

        assert answer.status_code == 502
        assert words in answer.text
        assert world.events()[0].cause in ("blocked", "dns")


async def test_an_origin_that_leads_back_here_is_found_in_the_first_round() -> None:
    async with proxying() as world:
        world.set(origins=(Origin("127.0.0.1", world.port),), is_debug=True)
        answer = await world.http.get("/")

        assert answer.status_code == 502
        assert "came back to this edge" in answer.text
        assert [event.cause for event in world.events()] == ["loop"]


async def test_clients_may_not_send_websocket_events() -> None:
    async with passing_to(answering(b"ok")) as (world, origin):
        headers = {"Content-Type": "Application/WebSocket-Events; x=y"}
        assert (await world.http.post("/", content=b"OPEN\r\n", headers=headers)).status_code == 403
        assert origin.requests == []
        world.set(is_websocket_over_http=False)
        assert (await world.http.post("/", content=b"OPEN\r\n", headers=headers)).status_code == 200


async def test_the_owner_sees_what_origins_answer() -> None:
    async with passing_to(answering(b"no", status="404 Not Found")) as (world, origin):
        await world.http.get("/a?b=c")

        [event] = world.passed_on()
        assert (event.method, event.path, event.status) == ("GET", "/a?b=c", 404)
        assert event.origin == f"127.0.0.1:{origin.port}"
        assert event.wait_s >= 0


async def test_a_realm_that_nobody_watches_costs_no_event() -> None:
    async with proxying() as world:
        world.edge.activity._watched.clear()
        world.set(origins=(Origin("127.0.0.1", free_port()),))
        await world.http.get("/")

        assert world.events() == []
