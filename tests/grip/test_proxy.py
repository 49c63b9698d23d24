"""Requests through the edge to an origin and back, over real connections."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import jwt
import pytest

from fanoutcloud.core.activity import OriginFailure
from fanoutcloud.core.domains import ForwardedFor, Origin, Route
from fanoutcloud.core.items import HttpResponse, Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.outbound.client import Patience
from fanoutcloud.outbound.gate import GateRules
from tests.edge.worlds import KEEP, REALM, until
from tests.fakes.clock import SteppedClock
from tests.grip.worlds import KEY, VIA, origin_of, passing_to, proxying
from tests.outbound.worlds import FakeResolver
from tests.servers.command import free_port
from tests.servers.origin import Caller, answering, each, origin_server, repeating, sending

ERROR = "Error while proxying to origin.\n"
REFUSES_AT_ONCE = Origin("127.0.0.1", 1)  # nobody may listen there


# -- requests


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_method_path_query_and_body_arrive_as_they_were_sent(method: str) -> None:
    async with passing_to(answering(b"made", status="201 Made It", headers=["X-A: 1", "X-a: 2"])) as (world, origin):
        answer = await world.http.request(method, "/a%2Fb//c%20d/%C3%A4?x=%20+&&y", content=b"data")

        assert (answer.status_code, answer.reason_phrase, answer.content) == (201, "Made It", b"made")
        assert [pair for pair in answer.headers.multi_items() if pair[0] == "x-a"] == [("x-a", "1"), ("x-a", "2")]
        seen = origin.requests[0]
        assert (seen.method, seen.target, seen.body) == (method, "/a%2Fb//c%20d/%C3%A4?x=%20+&&y", b"data")
        assert seen.header("content-length") == "4"


async def test_headers_of_the_client_arrive_less_those_of_its_connection() -> None:
    sent = (
        b"GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
        b"Proxy-Connection: x\r\nTE: gzip\r\nAccept-Encoding: gzip\r\nExpect: nothing\r\nCookie: a=b\r\nCookie: c=d\r\n"
        b"Upgrade: h2c\r\nGrip-Sig: forged\r\ngrip-last: x; last-id=1\r\n"
        b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: evil.example\r\nForwarded: for=6.6.6.6\r\nX-Kept: \xe4\r\n\r\n"
    )
    async with passing_to(answering()) as (world, origin):
        assert (await world.talk(sent)).startswith(b"HTTP/1.1 200 OK\r\n")

        headers = [(name.lower(), value) for name, value in origin.requests[0].headers]
    ours = [one for one in headers if one[0] in ("grip-sig", "grip-feature")]
    assert sorted(one for one in headers if one not in ours) == [
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("host", "app.example"),
        ("via", VIA.decode()),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-kept", "\xe4"),
    ]
    assert [name for name, _ in ours] == ["grip-sig", "grip-feature"]


async def test_the_signature_holds_with_the_realms_key_and_for_an_hour() -> None:
    clock = SteppedClock()
    async with passing_to(answering(), clock=clock) as (world, origin):
        for _ in range(2):
            await world.http.get("/")
            clock.pass_time(301)
        first, second = (seen.header("grip-sig") or "" for seen in origin.requests)

    claims = jwt.decode(first, KEY.secret, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {"iss": REALM, "exp": int(clock.now()) - 602 + 3600}
    assert jwt.get_unverified_header(first) == {"typ": "JWT", "alg": "HS256"}
    assert second != first


async def test_features_are_announced_as_libraries_split_them() -> None:
    async with passing_to(answering()) as (world, origin):
        await world.http.get("/")

        assert origin.requests[0].header("grip-feature") == (
            "status, session, link:next, filter:skip-self, filter:skip-users, filter:require-sub, filter:build-id, "
            "filter:var-subst"
        )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (ForwardedFor(), "127.0.0.1"),
        (ForwardedFor(keep=1), "3.3.3.3, 127.0.0.1"),
        (ForwardedFor(keep=9), "1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"),
        (ForwardedFor(keep=2, appends_peer=False), "2.2.2.2, 3.3.3.3"),
        (ForwardedFor(keep=0, appends_peer=False), None),
    ],
)
async def test_forwarded_for_is_kept_as_the_domain_says(policy: ForwardedFor, expected: str | None) -> None:
    async with passing_to(answering()) as (world, origin):
        world.set(forwarded_for=policy)
        await world.http.get("/", headers=[("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "2.2.2.2,3.3.3.3")])

        assert origin.requests[0].header("x-forwarded-for") == expected


async def test_host_is_the_clients_the_origins_or_a_fixed_one() -> None:
    async with passing_to(answering()) as (world, origin):
        for settings in ({}, {"rewrites_host": True}, {"host_header": "fixed.example:81"}):
            world.set(**settings)
            await world.http.get("/", headers={"Host": "client.example"})

        hosts = [(seen.header("host"), seen.header("x-forwarded-host")) for seen in origin.requests]
    assert hosts == [
        ("client.example", None),
        (f"127.0.0.1:{origin.port}", "client.example"),
        ("fixed.example:81", "client.example"),
    ]


async def test_extra_headers_replace_add_and_remove() -> None:
    async with passing_to(answering()) as (world, origin):
        world.set(extra_headers=(("X-Token", "secret"), ("User-Agent", ""), ("Accept", "text/plain")))
        await world.http.get("/", headers={"x-token": "forged", "User-Agent": "x", "Accept": "*/*"})

        seen = origin.requests[0]
        assert [seen.header(name) for name in ("x-token", "user-agent", "accept")] == ["secret", None, "text/plain"]


async def test_paths_go_where_their_rules_say() -> None:
    async with origin_server(answering(b"other")) as other, passing_to(answering(b"first")) as (world, origin):
        world.set(
            routes=(
                Route("/api/", (origin_of(other),), "/v2/"),
                Route("/api/old/", (origin_of(origin),)),
                Route("/push", (), "/fanout"),
            )
        )
        bodies = [(await world.http.get(path)).content for path in ("/api/x?y", "/api/old/z", "/else")]
        own = await world.http.get("/push/poll")
        never = await world.http.get("/fanout/poll")

        assert bodies == [b"other", b"first", b"first"]
        assert [seen.target for seen in other.requests] == ["/v2/x?y"]
        assert [seen.target for seen in origin.requests] == ["/api/old/z", "/else"]
        assert own.status_code == never.status_code == 400
        assert own.json()["error"]["field"] == "channel"


async def test_a_domain_without_origins_answers_as_before() -> None:
    async with proxying() as world:
        answer = await world.http.get("/anything")

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


# -- request bodies


async def test_a_large_body_streams_through_and_is_not_kept() -> None:
    taken = 0

    async def script(caller: Caller) -> None:
        nonlocal taken
        seen = await caller.head()
        assert seen is not None
        assert seen.header("content-length") == str(20_000_000)
        while taken < 20_000_000:
            taken += len(await caller.reader.read(65536))
        await caller.answer(b"thanks")

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * 100_000

    async with passing_to(script) as (world, _):
        answer = await world.http.post("/", content=pieces(), headers={"Content-Length": "20000000"})

    assert (answer.content, taken) == (b"thanks", 20_000_000)


async def test_chunks_stay_chunks_and_arrive_while_the_client_is_still_sending() -> None:
    got_first = asyncio.Event()

    async def script(caller: Caller) -> None:
        seen = await caller.head()
        assert seen is not None
        assert seen.header("transfer-encoding") == "chunked"
        assert await caller.reader.readline() == b"5\r\n"
        got_first.set()
        while await caller.reader.readline() != b"0\r\n":
            pass
        await caller.reader.readline()
        await caller.answer(b"ok")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await got_first.wait()
        yield b"second"

    async with passing_to(script) as (world, _):
        assert (await world.http.post("/", content=pieces())).content == b"ok"


async def test_a_client_that_waits_for_100_is_told_to_go_on() -> None:
    async with passing_to(answering(b"ok")) as (world, origin):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"data")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()

        assert origin.requests[0].body == b"data"
        assert origin.requests[0].header("expect") is None


async def test_a_client_that_leaves_in_the_middle_of_its_body_takes_the_request_with_it() -> None:
    async def script(caller: Caller) -> None:
        await caller.head()
        await caller.gone()

    async with passing_to(script) as (world, origin):
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        await until(lambda: origin.open == 1)
        writer.close()
        await until(lambda: origin.open == 0)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length : 3\r\n",
        b"X: y\r\n Content-Length: 3\r\n",
        b"X: y\nContent-Length: 3\r\n",
    ],
)
async def test_a_request_that_could_be_read_in_two_ways_does_not_reach_the_origin(framing: bytes) -> None:
    async with passing_to(answering(b"ok")) as (world, origin):
        answer = await world.talk(
            b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + framing + b"\r\nabcGET /smuggled"
        )

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert origin.requests == []


# -- answers


async def test_the_first_bytes_come_before_the_origin_has_finished() -> None:
    go_on = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await go_on.wait()
        caller.send(b"3\r\ndef\r\n0\r\n\r\n")
        await caller.gone()

    async with passing_to(script) as (world, _), world.http.stream("GET", "/") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"abc"
        go_on.set()
        assert await anext(pieces) == b"def"
        with pytest.raises(StopAsyncIteration):
            await anext(pieces)


async def test_headers_of_an_answer_arrive_less_those_of_the_connection_and_of_grip() -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 2\r\n"
        b"Proxy-Authenticate: x\r\nUpgrade: h2c\r\nDate: then\r\nServer: theirs\r\nSet-Cookie: a=b\r\n"
        b"X-Case-Kept: 1\r\n\r\nok"
    )
    async with passing_to(repeating(head)) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert answer == (
        b"HTTP/1.1 200 OK\r\nDate: then\r\nServer: theirs\r\nSet-Cookie: a=b\r\nX-Case-Kept: 1\r\nContent-Length: 2\r\n"
        b"Connection: close\r\n\r\nok"
    )


async def test_an_answer_to_head_keeps_its_length() -> None:
    async with passing_to(repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")) as (world, _):
        for _ in range(2):
            answer = await world.http.head("/")
            assert (answer.headers["content-length"], answer.content) == ("1234", b"")


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_leaves_the_connection_in_step(status: int) -> None:
    async with passing_to(repeating(b"HTTP/1.1 %d X\r\nETag: y\r\n\r\n" % status)) as (world, origin):
        for _ in range(2):
            answer = await world.http.get("/")
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (status, b"", "y")
        assert origin.connections == 1


async def test_trailers_arrive() -> None:
    script = repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
    async with passing_to(script) as (world, origin):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n")

        assert answer.endswith(b"\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert origin.requests[0].header("te") == "trailers"


async def test_redirects_are_the_clients_to_follow() -> None:
    headers = ["Location: http://127.0.0.1:1/internal"]
    async with passing_to(answering(status="302 Found", headers=headers)) as (world, origin):
        answer = await world.http.get("/")

        assert (answer.status_code, answer.headers["location"]) == (302, "http://127.0.0.1:1/internal")
        assert len(origin.requests) == 1


async def test_an_error_of_the_origin_is_an_answer() -> None:
    async with origin_server(answering(b"other")) as other, passing_to(answering(b"sick", status="503 Ill")) as (w, o):
        w.set(origins=(origin_of(o), origin_of(other)))
        answer = await w.http.get("/")

        assert (answer.status_code, answer.reason_phrase, answer.content) == (503, "Ill", b"sick")
        assert other.requests == []


async def test_unusual_statuses_pass() -> None:
    async with passing_to(repeating(b"HTTP/1.1 799 Odd One\r\nContent-Length: 0\r\n\r\n")) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 799 Odd One\r\n")


async def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    script = repeating(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
    async with passing_to(script) as (world, _):
        answer = await world.talk(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")

        assert answer.endswith(b"\r\n\r\nok")
        assert b"chunked" not in answer


async def test_connections_are_kept_on_both_sides() -> None:
    async with passing_to(answering(b"ok")) as (world, origin):
        for _ in range(10):
            assert (await world.http.get("/")).content == b"ok"

        assert origin.connections == 1


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def script(caller: Caller) -> None:
        while (seen := await caller.request()) is not None:
            await caller.answer(seen.target.encode())

    async with passing_to(script) as (world, _):
        ask = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
        answer = await world.talk(ask % 1 + ask % 2 + b"GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert [part[:2] for part in answer.split(b"\r\n\r\n")[1:]] == [b"/1", b"/2", b"/3"]


async def test_a_slow_client_holds_the_origin_back() -> None:
    sent = 0

    async def script(caller: Caller) -> None:
        nonlocal sent
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            caller.send(b"x" * 65536)
            await caller.writer.drain()
            sent += 65536

    async with passing_to(script) as (world, origin):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        before = -1
        while sent != before:  # until nothing moves any more
            before = sent
            await asyncio.sleep(0.2)
        writer.transport.abort()
        await until(lambda: origin.open == 0)
    assert sent < 30_000_000


# -- the end of a process


async def test_a_request_under_way_is_answered_to_its_end_by_a_process_that_ends() -> None:
    go_on = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        await go_on.wait()
        caller.send(b"def")
        await caller.gone()

    async with passing_to(script) as (world, _):
        answer = asyncio.create_task(world.talk(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await until(lambda: any(not one.is_at_rest for one in world.connections))
        for connection in list(world.connections):
            connection.shutdown()
        go_on.set()

        assert (await answer).endswith(b"\r\n\r\nabcdef"), "and the connection is closed"


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


# -- shared hosts


async def test_on_a_shared_host_answers_can_not_act_on_the_host() -> None:
    headers = ["Set-Cookie: a=b", "Clear-Site-Data: *", "Service-Worker-Allowed: /", "X-Kept: 1"]
    async with passing_to(answering(b"<script>", headers=headers)) as (world, origin):
        world.is_by_path = True
        answer = await world.http.get(f"/r/{REALM}/a%2Fb?c")

        assert origin.requests[0].target == "/a%2Fb?c"
        assert origin.requests[0].header("x-forwarded-prefix") == f"/r/{REALM}"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert "allow-same-origin" not in answer.headers["content-security-policy"]
        assert answer.headers["x-kept"] == "1"
        for name in ("set-cookie", "clear-site-data", "service-worker-allowed"):
            assert name not in answer.headers


# -- CORS and JSON-P


async def test_cross_origin_headers_are_added_to_answers_and_errors() -> None:
    async with passing_to(each(answering(b"ok", headers=["X-A: 1", "Access-Control-Max-Age: 5"]))) as (world, _):
        world.set(cross_origin="auto")
        answer = await world.http.get("/", headers={"Origin": "https://page.example"})
        world.set(origins=(REFUSES_AT_ONCE,))
        failed = await world.http.get("/")

        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["access-control-max-age"] == "5"
        assert answer.headers["access-control-expose-headers"] == "X-A"
        assert (failed.status_code, failed.headers["access-control-allow-origin"]) == (502, "*")


async def test_a_script_gets_its_answer_as_a_call() -> None:
    script = answering(b'"x"\xff\n', status="404 Gone Fishing", headers=["X-A: 1", "X-A: 2"])
    async with passing_to(script) as (world, origin):
        world.set(has_json_p=True)
        answer = await world.http.get(
            "/p",
            params={
                "a": "b",
                "callback": "app.on$1",
                "_method": "POST",
                "_headers": '{"Content-Type":"text/x"}',
                "_body": "ä",
            },
        )

        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/javascript")
        assert answer.text == (
            '/**/app.on$1({"code": 404, "reason": "Gone Fishing", "headers": {"X-A": "1, 2"}, '
            '"body": "\\"x\\"\\ufffd\\n"});\n'
        )
        seen = origin.requests[0]
        assert (seen.method, seen.target, seen.body.decode()) == ("POST", "/p?a=b", "ä")
        assert seen.header("content-type") == "text/x"


async def test_an_error_is_told_a_script_as_a_call_and_a_bad_callback_is_refused() -> None:
    async with proxying() as world:
        world.set(has_json_p=True, origins=(REFUSES_AT_ONCE,))
        failed = await world.http.get("/?callback=f")
        refused = await world.http.get("/?callback=alert(1)//")
        plain = await world.http.get("/")

        assert failed.text.startswith('/**/f({"code": 502,')
        assert (refused.status_code, "callback" in refused.text) == (400, True)
        assert plain.status_code == 502


# -- under a server that knows nothing but ASGI


async def test_everything_passes_through_asgi_alone() -> None:
    async with passing_to(answering(b"made", status="201 Made It", headers=["X-A: 1"])) as (world, origin):
        world.is_plain = True
        answer = await world.http.post("/a?b", content=b"data")
        head = await world.http.head("/")

        assert (answer.status_code, answer.content, answer.headers["x-a"]) == (201, b"made", "1")
        assert (head.content, head.headers["content-length"]) == (b"", "4")
        assert origin.requests[0].body == b"data"


async def test_an_answer_breaks_off_through_asgi_alone() -> None:
    async with passing_to(sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")) as (world, _):
        world.is_plain = True
        async with world.http.stream("GET", "/") as answer:
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()


# -- holds


async def test_an_answer_with_instructions_is_held_and_a_published_item_answers() -> None:
    headers = ["Grip-Hold: response", "Grip-Channel: jobs", "Content-Type: text/plain"]
    async with passing_to(answering(b"nothing", headers=headers)) as (world, _):
        asking = asyncio.create_task(world.http.get("/"))
        holds = world.edge.hub.subscribers
        await until(lambda: bool(holds) and all(getattr(hold, "waiting", None) is None for hold in holds))
        item = Item(channel=ChannelName("jobs"), http_response=HttpResponse(body=b"[7]"))
        await world.edge.broker.publish(REALM, [item], retention=KEEP)

        answer = await asking
        assert (answer.content, answer.headers["content-type"]) == (b"[7]", "text/plain")


async def test_nonsense_in_an_instruction_names_its_header_to_the_owner() -> None:
    async with passing_to(answering(b"secret", headers=["Grip-Hold: forever"])) as (world, _):
        answer = await world.http.get("/")

        assert (answer.status_code, answer.text) == (502, ERROR)
        assert world.events()[0].field == "Grip-Hold"


async def test_a_stream_that_begins_with_much_is_relayed_and_then_held() -> None:
    body = b"x" * 300_000
    async with passing_to(answering(body, headers=["Grip-Hold: stream", "Grip-Channel: a"])) as (world, _):
        async with world.http.stream("GET", "/") as answer:
            got = 0
            async for piece in answer.aiter_raw():
                got += len(piece)
                if got == len(body):
                    break
        assert got == len(body)
