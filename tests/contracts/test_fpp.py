"""What FPP promises, on our own server and under Daphne (docs/api/fpp.md)."""

import asyncio
import json
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest

from tests.contracts.transports import SiteUnderTest

Message = dict[str, Any]


class Page:
    """What the script of the old service does: subscribe, then feed with the cursors that it has."""

    def __init__(self, site: SiteUnderTest, *channels: str, base: str = "/fpp") -> None:
        self._site = site
        self._base = base
        self.cursors: dict[str, str] = dict.fromkeys(channels, "")
        self.sid = ""

    async def subscribe(self, **more: str) -> Message:
        form = [("ci", urlencode({"name": name})) for name in self.cursors] + [*more.items()]
        answer = await self._site.get(
            f"{self._base}/subscribe/",
            method="POST",
            content=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status_code == 200, answer.text
        message: Message = answer.json()
        self.sid = message["sid"]
        for name, channel in message["channels"].items():
            self.cursors[name] = channel.get("last_cursor", "")
        return message

    def feed_query(self) -> str:
        ci = [("ci", urlencode({"name": name, "since": f"cursor:{at}"})) for name, at in self.cursors.items()]
        return urlencode([("sid", self.sid), *ci])

    async def ask(self, wait_s: int = 10) -> httpx.Response:
        return await self._site.get(f"{self._base}/feed/?{self.feed_query()}&timeout={wait_s}")

    async def feed(self, wait_s: int = 10) -> Message:
        answer = await self.ask(wait_s)
        assert answer.status_code == 200, answer.text
        message: Message = answer.json()
        for name, channel in message["channels"].items():
            self.cursors[name] = channel["last_cursor"]
        return message

    async def items(self, channel: str, count: int) -> list[object]:
        items: list[object] = []
        while len(items) < count:
            items += (await self.feed())["channels"].get(channel, {"items": []})["items"]
        return items


@pytest.mark.parametrize("base", ["/fpp", "/pubsub"])
async def test_items_come_in_order_each_once(site: SiteUnderTest, channel: str, base: str) -> None:
    page = Page(site, channel, base=base)
    subscribed = await page.subscribe()
    for number in range(0, 30, 3):
        await site.publish(channel, number, number + 1, number + 2)

    assert isinstance(subscribed["channels"][channel]["last_cursor"], str)
    assert await page.items(channel, 30) == list(range(30))


async def test_a_feed_is_held_until_there_is_an_item(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel, f"{channel}-b")
    await page.subscribe()

    held = asyncio.ensure_future(page.feed())
    await asyncio.sleep(0.05)  # nothing tells that a request is held
    await site.publish(channel, {"now": True})

    assert (await held)["channels"][channel]["items"] == [{"now": True}]


async def test_when_time_is_up_channels_is_empty(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe()

    assert await page.feed(wait_s=0) == {"channels": {}}
    assert await page.feed(wait_s=1) == {"channels": {}}


async def test_a_session_that_is_not_ours_is_lost(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe()
    page.sid = "f2f0"

    assert (await page.ask()).status_code == 401


async def test_a_session_is_kept_when_subscribing_again(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    first = await page.subscribe()

    assert (await page.subscribe(sid=first["sid"]))["sid"] == first["sid"]
    assert (await page.subscribe(sid="other"))["sid"] != "other"


async def test_sessions_of_two_realms_do_not_meet(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe()
    site.realm = site._product.create_realm()

    assert (await page.ask()).status_code == 401


@pytest.mark.parametrize("cursor", ["c41", "aaaaaaaa:3", "x:y"])
async def test_a_cursor_that_is_not_known_is_lost(site: SiteUnderTest, channel: str, cursor: str) -> None:
    page = Page(site, channel)
    await page.subscribe()
    page.cursors[channel] = cursor

    assert (await page.ask()).status_code == 404


async def test_a_cursor_behind_which_items_are_gone_is_lost(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe()
    await site.publish(channel, *range(300))  # more than history keeps

    assert (await page.ask()).status_code == 404


async def test_an_opaque_token_of_the_old_service_disturbs_nothing(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe(auth_token="whatever", fo_domain="x.example")
    await site.publish(channel, 1)

    assert await page.items(channel, 1) == [1]


async def test_as_a_script_every_answer_is_found_and_says_its_code(site: SiteUnderTest, channel: str) -> None:
    callback = 'fo_jsonp_get_callback("3")'
    body = urlencode({"ci": urlencode({"name": channel})})
    query = {"callback": callback, "_method": "POST", "_headers": "{}", "_body": body}

    subscribed = _read_script(await site.get("/fpp/subscribe/", params=query), callback)
    page = Page(site, channel)
    page.sid = json.loads(subscribed["body"])["sid"]
    page.cursors = {channel: json.loads(subscribed["body"])["channels"][channel]["last_cursor"]}
    await site.publish(channel, "\u2028")
    fed = _read_script(await site.get(f"/fpp/feed/?{page.feed_query()}&callback={quote(callback)}"), callback)
    page.sid = "lost"
    lost = _read_script(await site.get(f"/fpp/feed/?{page.feed_query()}&callback={quote(callback)}"), callback)

    assert (subscribed["code"], subscribed["reason"]) == (200, "OK")
    assert subscribed["headers"]["content-type"] == "application/json"
    assert json.loads(fed["body"])["channels"][channel]["items"] == ["\u2028"]
    assert (lost["code"], lost["reason"]) == (401, "Unauthorized")


async def test_a_held_script_is_answered_with_what_came(site: SiteUnderTest, channel: str) -> None:
    page = Page(site, channel)
    await page.subscribe()

    held = asyncio.ensure_future(site.get(f"/fpp/feed/?{page.feed_query()}&callback=f"))
    await asyncio.sleep(0.05)  # nothing tells that a request is held
    await site.publish(channel, 1)

    assert json.loads(_read_script(await held, "f")["body"])["channels"][channel]["items"] == [1]


async def test_our_own_long_poll_may_be_asked_as_a_script(site: SiteUnderTest, channel: str) -> None:
    begin = _read_script(await site.get(f"/fanout/poll?channel={channel}&timeout=0&callback=f"), "f")
    cursor = json.loads(begin["body"])["cursor"]

    held = asyncio.ensure_future(site.get(f"/fanout/poll?channel={channel}&since={cursor}&callback=f"))
    await asyncio.sleep(0.05)  # nothing tells that a request is held
    await site.publish(channel, 1)

    assert [item["data"] for item in json.loads(_read_script(await held, "f")["body"])["items"]] == [1]


async def test_the_first_scripts_names_are_taken_too(site: SiteUnderTest, channel: str) -> None:
    body = urlencode({"ci": urlencode({"name": channel})})

    answer = await site.get("/pubsub/subscribe/", params={"callback": "f", "method": "POST", "body": body})

    assert _read_script(answer, "f")["code"] == 200


@pytest.mark.parametrize(
    "query", ["callback=alert(1)", "callback=f&_method=EVIL", "callback=f&_headers=[1]", "callback=f&_headers={"]
)
async def test_what_is_no_json_p_is_refused(site: SiteUnderTest, query: str) -> None:
    answer = await site.get(f"/fpp/feed/?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/fpp/feed", "POST", 405),
        ("/fpp/subscribe", "GET", 405),
        ("/fpp/other/", "GET", 404),
        ("/fpp/feed/", "GET", 400),
    ],
)
async def test_other_requests_are_refused(site: SiteUnderTest, path: str, method: str, status: int) -> None:
    assert (await site.get(path, method=method)).status_code == status


def _read_script(answer: httpx.Response, callback: str) -> Message:
    head, tail = f"/**/{callback}(", ");\n"
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/javascript")
    assert answer.text.startswith(head)
    assert answer.text.endswith(tail)
    message: Message = json.loads(answer.text[len(head) : -len(tail)])
    return message
