"""What a channel keeps, as clients read it, under both servers."""

from typing import Any

from tests.contracts.transports import SiteUnderTest


async def _history(site: SiteUnderTest, channel: str, query: str = "") -> dict[str, Any]:
    answer = await site.get(f"/fanout/history?channel={channel}{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_the_newest_items_come_first_and_lead_to_those_before(site: SiteUnderTest, channel: str) -> None:
    await site.publish(channel, *range(5))

    page = await _history(site, channel, "&limit=2")
    older = await _history(site, channel, f"&before={page['items'][-1]['position']}")

    assert [item["data"] for item in page["items"]] == [4, 3]
    assert page["has_more"]
    assert page["items"][0]["position"] == page["position"]
    assert page["items"][0]["published_at"].endswith("Z")
    assert [item["data"] for item in older["items"]] == [2, 1, 0]
    assert not older["has_more"]


async def test_after_a_position_the_oldest_come_first(site: SiteUnderTest, channel: str) -> None:
    await site.publish(channel, *range(5))
    begin = (await _history(site, channel))["items"][3]["position"]

    page = await _history(site, channel, f"&after={begin}")

    assert [item["data"] for item in page["items"]] == [2, 3, 4]
    assert page["lost"] is None


async def test_a_channel_in_which_nothing_happened_has_no_position(site: SiteUnderTest, channel: str) -> None:
    page = await _history(site, channel)

    assert page == {"items": [], "position": None, "has_more": False, "lost": None}


async def test_bad_requests_name_the_place(site: SiteUnderTest, channel: str) -> None:
    for query, field in (("&limit=0", "limit"), ("&limit=x", "limit"), ("&before=x", "before"), ("&after=1", "after")):
        answer = await site.get(f"/fanout/history?channel={channel}{query}")
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert (await site.get("/fanout/history")).status_code == 400
    assert (await site.get(f"/fanout/history?channel={channel}", method="POST")).status_code == 405


async def test_a_new_channel_may_join_others_that_resume(site: SiteUnderTest, channel: str) -> None:
    await site.publish(channel, 1, 2)
    first = (await _history(site, channel))["items"][1]["position"]

    answer = await site.get(f"/fanout/poll?channel={channel}&channel={channel}-new&since={first},&timeout=0")

    assert [item["data"] for item in answer.json()["items"]] == [2]
    assert len(answer.json()["cursor"].split(",")) == 2
