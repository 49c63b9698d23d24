"""Answers through the edge by the rules of their site: shared hosts, CORS, JSON-P, holds, and plain ASGI."""

import asyncio

import httpx
import pytest

from fanoutcloud.core.domains import Origin
from fanoutcloud.core.items import HttpResponse, Item
from fanoutcloud.core.names import ChannelName
from tests.edge.worlds import KEEP, REALM, until
from tests.grip.worlds import passing_to, proxying
from tests.servers.origin import answering, each, sending

ERROR = "Error while proxying to origin.\n"
REFUSES_AT_ONCE = Origin("127.0.0.1", 1)  # nobody may listen there


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
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
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
