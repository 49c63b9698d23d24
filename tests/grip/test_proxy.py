"""Requests through the edge to an origin: what arrives there, over real connections."""

import asyncio
from collections.abc import AsyncIterator

import jwt
import pytest

from fanoutcloud.core.domains import ForwardedFor, Route
from tests.edge.worlds import REALM, until
from tests.fakes.clock import SteppedClock
from tests.grip.worlds import KEY, VIA, origin_of, passing_to, proxying
from tests.servers.origin import Caller, answering, origin_server

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
    seen = []

    async def script(caller: Caller) -> None:
        await caller.head()
        seen.append("head")
        await caller.gone()
        seen.append("gone")

    async with passing_to(script) as (world, origin):
        _, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
        await until(lambda: origin.open == 1)
        writer.close()
        await until(lambda: origin.open == 0)

    assert seen == ["head", "gone"]


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
