"""Whole calls: bounded in time and size, with what they took, and redirects that are judged like the first place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from fanoutcloud.outbound.calls import Call, CallLimits, CallRecord, perform
from fanoutcloud.outbound.client import OutboundClient
from fanoutcloud.outbound.errors import BadAnswer, Blocked, BrokenOff, ConnectFailed, Misdirected, NoAnswer
from fanoutcloud.outbound.gate import GateRules, Target, parse_url
from fanoutcloud.outbound.messages import Endpoint
from tests.outbound.worlds import TENANT, FakeResolver, client_of
from tests.servers.command import free_port
from tests.servers.origin import Caller, Origin, Script, answering, origin_server, sending

RULES = GateRules()
QUICK = CallLimits(head_s=0.15, total_s=0.3, read_bytes=1000, kept_bytes=10)


def read_target(url: str) -> Target:
    return parse_url(url, RULES)


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    resolver = FakeResolver(app_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]], inside_example=[["10.0.0.1"]])
    async with client_of(resolver=resolver) as made:
        yield made


def call_to(origin: Origin, *, host: str = "app.example", method: bytes = b"POST", body: bytes = b"{}") -> Call:
    headers = [(b"Content-Type", b"application/json"), (b"Webhook-Signature", b"v1,x"), (b"User-Agent", b"test")]
    return Call(Target(Endpoint(host, origin.port), "/hook?a=b"), method, headers, body)


async def make(client: OutboundClient, call: Call, limits: CallLimits = QUICK) -> CallRecord:
    return await perform(client, call, tenant=TENANT, read_target=read_target, limits=limits)


async def test_a_call_is_sent_as_it_is_and_its_answer_kept(client: OutboundClient) -> None:
    async with origin_server(answering(b"thank you!!", status="202 Taken", headers=["X-A: b"])) as origin:
        record = await make(client, call_to(origin))

        seen = origin.requests[0]
        assert (seen.method, seen.target, seen.body) == ("POST", "/hook?a=b", b"{}")
        assert seen.header("host") == f"app.example:{origin.port}"
        assert (record.status, record.header(b"x-a"), record.error) == (202, b"b", None)
        assert (record.body, record.body_bytes, record.is_body_whole) == (b"thank you!", 11, True)


async def test_each_phase_has_its_time(client: OutboundClient) -> None:
    async with origin_server(answering()) as origin:
        first, second = await make(client, call_to(origin)), await make(client, call_to(origin))

    assert (first.trace.address, second.trace.address) == ("127.0.0.1", "127.0.0.1")
    assert not first.trace.is_reused
    assert second.trace.is_reused
    assert (second.trace.dns_s, second.trace.connect_s) == (None, None)
    assert first.trace.dns_s is not None
    assert first.trace.connect_s is not None
    assert first.trace.first_byte_s is not None
    phases = first.trace.dns_s + first.trace.connect_s + first.trace.first_byte_s
    assert 0 < phases <= first.total_s
    assert first.trace.tls_s is None


async def test_what_fails_has_the_time_until_then(client: OutboundClient) -> None:
    record = await make(client, Call(Target(Endpoint("app.example", free_port()), "/")))

    assert isinstance(record.error, ConnectFailed)
    assert record.status is None
    assert record.trace.connect_s is not None
    assert record.trace.first_byte_s is None
    assert record.total_s >= record.trace.connect_s


# -- servers that do not behave


async def silent(caller: Caller) -> None:
    await caller.gone()


def dripping(first: bytes, drop: bytes) -> Script:
    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(first)
        while not caller.writer.transport.is_closing():
            caller.send(drop)
            await asyncio.sleep(0.01)

    return script


def endless(first: bytes) -> Script:
    async def script(caller: Caller) -> None:
        await caller.request()
        caller.send(first)
        while True:
            caller.send(b"x" * 65_536)
            await caller.writer.drain()

    return script


OK = b"HTTP/1.1 200 OK\r\n"
BOMB = OK + b"Content-Encoding: gzip\r\nContent-Length: 1073741824\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (silent, NoAnswer),
        (dripping(b"", b"H"), BadAnswer),
        (dripping(OK, b"A: b\r\n"), NoAnswer),
        (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), BadAnswer),
        (endless(OK + b"A: "), BadAnswer),
        (endless(b""), BadAnswer),
        (sending(), BrokenOff),
        (sending(OK), BrokenOff),
        (sending(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), BadAnswer),
        (sending(OK + b"A: b\r\n" * 20_000 + b"\r\n"), BadAnswer),
        (sending(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), BadAnswer),
        (sending(b"\x16\x03\x01\x02\x00"), BadAnswer),
    ],
)
async def test_a_server_that_does_not_answer_is_given_up(
    client: OutboundClient, script: Callable[[Caller], Awaitable[None]], error: type[Exception]
) -> None:
    limits = QUICK if error is NoAnswer else replace(QUICK, head_s=5.0, total_s=10.0)  # the others say something
    async with asyncio.timeout(20), origin_server(script) as origin:
        record = await make(client, call_to(origin), limits)

    assert isinstance(record.error, error)
    assert record.status is None
    assert client.pool.lent_count == client.pool.idle_count == 0


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (dripping(OK + b"\r\n", b"x"), "did not come within 0.3 s"),
        (dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), "did not come within 0.3 s"),
        (endless(OK + b"\r\n"), "more than 1,000 bytes"),
        (endless(BOMB), "more than 1,000 bytes"),
        (sending(OK + b"Content-Length: 999\r\n\r\nshort"), "ended in the middle"),
        (sending(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "ended in the middle"),
        (sending(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), "no HTTP/1.1"),
    ],
)
async def test_a_body_without_a_good_end_does_not_change_the_status(
    client: OutboundClient, script: Script, problem: str
) -> None:
    async with asyncio.timeout(5), origin_server(script) as origin:
        record = await make(client, call_to(origin))

    assert (record.status, record.error, record.is_body_whole) == (200, None, False)
    assert problem in record.body_problem
    assert len(record.body) <= QUICK.kept_bytes
    assert client.pool.lent_count == client.pool.idle_count == 0


async def test_a_body_longer_than_it_says_is_cut_and_the_connection_closed(client: OutboundClient) -> None:
    async with origin_server(sending(OK + b"Content-Length: 2\r\n\r\nabcdef")) as origin:
        record = await make(client, call_to(origin))

    assert (record.status, record.body, record.is_body_whole) == (200, b"ab", True)
    assert client.pool.idle_count == 0


async def test_what_is_compressed_stays_so(client: OutboundClient) -> None:
    async with origin_server(answering(b"\x1f\x8b\x08abc", headers=["Content-Encoding: gzip"])) as origin:
        record = await make(client, call_to(origin))

    assert record.body == b"\x1f\x8b\x08abc"


# -- redirects


def leading(*places: str, status: str = "302 Found") -> Script:
    """Redirect to one place after the other, then answer."""
    waiting = list(places)

    async def script(caller: Caller) -> None:
        while await caller.request() is not None:
            if waiting:
                await caller.answer(status=status, headers=[f"Location: {waiting.pop(0)}"])
            else:
                await caller.answer(b"there")

    return script


FOLLOWING = CallLimits(head_s=5.0, total_s=5.0, redirects=3)


@pytest.mark.parametrize("status", ["301 A", "302 A", "303 A", "307 A", "308 A"])
async def test_a_redirect_is_not_followed_unless_asked_for(client: OutboundClient, status: str) -> None:
    async with origin_server(leading("/there", status=status)) as origin:
        record = await make(client, call_to(origin))

    assert record.status == int(status[:3])
    assert record.header(b"location") == b"/there"
    assert len(origin.requests) == 1


async def test_a_redirect_on_the_same_server_keeps_what_was_sent(client: OutboundClient) -> None:
    async with origin_server(leading("/there", status="307 A")) as origin:
        record = await make(client, call_to(origin), FOLLOWING)

    assert (record.status, record.body) == (200, b"there")
    assert record.hops == [f"http://app.example:{origin.port}/there"]
    assert origin.requests[1].body == b"{}"
    assert origin.requests[1].header("webhook-signature") == "v1,x"


async def test_a_redirect_to_another_server_gets_no_signature(client: OutboundClient) -> None:
    async with origin_server(answering(b"other")) as other, origin_server(leading("")) as origin:
        origin.script = leading(f"http://other.example:{other.port}/x")
        record = await make(client, call_to(origin), FOLLOWING)

    seen = other.requests[0]
    assert (record.body, seen.method, seen.body) == (b"other", "GET", b"")
    assert {name.lower() for name, _ in seen.headers} == {"host", "user-agent"}


@pytest.mark.parametrize(
    "place",
    ["http://127.0.0.1:1/", "http://localhost/", "http://inside.example/", "http://169.254.169.254/latest/",
     "http://[::1]/", "http://2130706433/", "http://0x7f.1/", "http://u:p@other.example/", "//inside.example/x",
     "http:\\\\localhost\\", "http://other.example\t/", "file:///etc/passwd", "gopher://localhost/", "ws://other.example/",
     "javascript:alert(1)", "http://\xe2\x93\x9bocalhost/", "http://[::ffff:10.0.0.1]/", "http://metadata.google.internal/"],
)  # fmt: skip
async def test_a_redirect_leads_nowhere_that_is_not_called(place: str) -> None:
    resolver = FakeResolver(app_example=[["127.0.0.1"]], inside_example=[["10.0.0.1"]])
    literals = parse_url("http://127.0.0.1:1/", GateRules()).endpoint
    async with client_of(resolver=resolver) as client, origin_server(leading(place)) as origin:
        record = await make(client, call_to(origin), FOLLOWING)

    if place.startswith(f"http://{literals.host}"):
        assert isinstance(record.error, ConnectFailed)  # this machine is allowed here, and nothing listens
    else:
        assert isinstance(record.error, Blocked)
    assert record.status is None


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (leading(*["/again"] * 4), "more than 3 redirects"),
        (answering(status="302 Found"), "without one Location"),
        (answering(status="302 Found", headers=["Location: /a", "Location: /b"]), "without one Location"),
        (leading("http://other.example/", status="308 A"), "to another server"),
    ],
)
async def test_a_redirect_that_makes_no_sense_is_an_error(client: OutboundClient, script: Script, problem: str) -> None:
    async with origin_server(script) as origin:
        record = await make(client, call_to(origin), FOLLOWING)

    assert isinstance(record.error, Misdirected)
    assert problem in str(record.error)
    assert client.pool.lent_count == 0
