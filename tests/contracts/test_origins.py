"""Requests passed on to an origin by the whole product, on our own server and under Daphne (docs/topics/grip.md)."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from gripcontrol import validate_sig

from tests.contracts.transports import PATIENCE_S, SiteUnderTest
from tests.servers.origin import Caller, Origin, Script, answering, origin_server


@asynccontextmanager
async def passing_to(site: SiteUnderTest, script: Script) -> AsyncIterator[Origin]:
    """Have the site's requests passed on to an origin that does what the test says."""
    async with origin_server(script) as origin:
        answer = await site.http.post(
            f"{site.url}/realm/{site.realm.realm}/http/default/",
            data={"host": "127.0.0.1", "port": str(origin.port), "rewrite_host": "false", "over_http": "true"},
            auth=site.realm.auth,
        )
        assert answer.status_code == 200, answer.text
        async with asyncio.timeout(PATIENCE_S):
            while (await site.http.get(f"{site.realm.site}/live")).status_code == 404:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.01)
        origin.requests.clear()
        yield origin


async def test_a_request_goes_to_the_origin_and_its_answer_comes_back(site: SiteUnderTest) -> None:
    async with passing_to(site, answering(b"made", status="201 Created", headers=["X-A: 1"])) as origin:
        answer = await site.http.post(
            f"{site.realm.site}/a%2Fb?c=%20d", content=b"data", headers={"Grip-Sig": "forged"}
        )

        assert (answer.status_code, answer.content, answer.headers["x-a"]) == (201, b"made", "1")
        [seen] = origin.requests
        assert (seen.method, seen.target, seen.body) == ("POST", "/a%2Fb?c=%20d", b"data")
        signature = seen.header("grip-sig")
        assert validate_sig(signature, base64.b64decode(site.realm.key))
        assert not validate_sig(signature, b"another key" * 3)


async def test_bodies_of_any_size_stream_both_ways(site: SiteUnderTest) -> None:
    async def echo(caller: Caller) -> None:
        while (seen := await caller.request()) is not None:
            await caller.answer(seen.body)

    async with passing_to(site, echo):
        body = bytes(range(256)) * 20_000
        answer = await site.http.post(f"{site.realm.site}/", content=body)

        assert answer.content == body


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(site: SiteUnderTest) -> None:
    async def script(caller: Caller) -> None:
        while (seen := await caller.request()) is not None:
            if seen.target == "/broken":
                caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
                return
            await caller.answer()

    async with passing_to(site, script):
        with pytest.raises(httpx.HTTPError):
            await site.http.get(f"{site.realm.site}/broken")


async def test_an_origin_that_is_down_is_a_502(site: SiteUnderTest) -> None:
    async with passing_to(site, answering()):
        pass

    answer = await site.http.get(f"{site.realm.site}/")

    assert (answer.status_code, answer.text) == (502, "Error while proxying to origin.\n")


async def test_own_transports_stay_where_they_are(site: SiteUnderTest, channel: str) -> None:
    async with passing_to(site, answering(b"origin")) as origin:
        answer = await site.http.get(f"{site.realm.site}/fanout/poll", params={"channel": channel, "timeout": "0"})

        assert "cursor" in answer.json()
        assert origin.requests == []
