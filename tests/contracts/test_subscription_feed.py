"""The subscription feed, on our own server and under Daphne (docs/api/rest-compat.md)."""

import json
from typing import Any

import pytest

from tests.contracts.transports import SiteUnderTest, SseReader

Message = dict[str, Any]


def url_of(site: SiteUnderTest, what: str) -> str:
    return f"{site.url}/realm/{site.realm.realm}/subscriptions/{what}"


async def read_all(site: SiteUnderTest, cursor: str = "") -> tuple[list[Message], str]:
    """Ask as the library does: until there are no more items."""
    items: list[Message] = []
    while True:
        params = {"since": f"cursor:{cursor}"} if cursor else {}
        answer = await site.http.get(url_of(site, "items/"), params=params, auth=site.realm.auth)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        cursor = page["last_cursor"]
        if not page["items"]:
            return items, cursor
        items += page["items"]


async def test_channels_with_subscribers_are_listed_and_changes_follow(site: SiteUnderTest, channel: str) -> None:
    async with SseReader(site, channel) as first:
        await first.ready()
        listed, cursor = await read_all(site)
        async with SseReader(site, f"{channel}-b") as second:
            await second.ready()
            changes, after = await read_all(site, cursor)
            again, _ = await read_all(site, after)

    assert {"channel": channel, "state": "subscribed"} in listed
    assert changes == [{"channel": f"{channel}-b", "state": "subscribed"}]
    assert again == []


async def test_the_stream_tells_what_comes_and_its_cursors_follow_each_other(site: SiteUnderTest, channel: str) -> None:
    async with site.http.stream("GET", url_of(site, "stream/"), auth=site.realm.auth) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        assert await anext(lines) == ""
        _, cursor = await read_all(site)
        told: list[Message] = []
        async with SseReader(site, channel, f"{channel}-b") as subscriber:
            await subscriber.ready()
            while len(told) < 2:
                if line := await anext(lines):
                    told.append(json.loads(line))

    assert [one["item"]["channel"] for one in told] == [channel, f"{channel}-b"]
    assert [one["prev_cursor"] for one in told] == [cursor, told[0]["cursor"]]


@pytest.mark.parametrize("cursor", ["nonsense", "cl83", "YWJjZGVmZ2hfNw=="])
async def test_a_cursor_that_is_not_known_is_not_found(site: SiteUnderTest, cursor: str) -> None:
    await read_all(site)

    answer = await site.http.get(url_of(site, "items/"), params={"since": f"cursor:{cursor}"}, auth=site.realm.auth)

    assert answer.status_code == 404


@pytest.mark.parametrize("what", ["items/", "stream", "stream/"])
async def test_the_feed_wants_a_key(site: SiteUnderTest, what: str) -> None:
    assert (await site.http.get(url_of(site, what))).status_code == 401
    assert (await site.http.get(url_of(site, what), auth=(site.realm.realm, "A" * 44))).status_code == 401
    assert (await site.http.post(url_of(site, what), auth=site.realm.auth)).status_code == 405


async def test_what_the_dashboard_lists_knows_nothing_of_the_feed(site: SiteUnderTest, channel: str) -> None:
    async with site.http.stream("GET", url_of(site, "stream/"), auth=site.realm.auth) as stream:
        await anext(stream.aiter_lines())
        items, _ = await read_all(site)

    assert all(item["channel"].isprintable() for item in items)
