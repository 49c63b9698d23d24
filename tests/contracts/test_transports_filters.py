"""Filters on every transport, on our own server and under Daphne (docs/api/filters.md)."""

from urllib.parse import quote

from tests.contracts.transports import Message, PollReader, Reader, SiteUnderTest, WebSocketReader

FILTER = "filter=" + quote("priority >= 3 or kind == 'fire'")


def _tagged(channel: str, number: int, **tags: object) -> Message:
    return {"channel": channel, "json-object": number, "tags": tags}


async def test_only_items_that_match_arrive(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    async with reader(site, channel, query=FILTER) as subscriber:
        await subscriber.ready()
        await site.publish_items(
            _tagged(channel, 1, priority=1),
            _tagged(channel, 2, priority=3),
            _tagged(channel, 3),
            {"channel": channel, "json-object": 4},
            _tagged(channel, 5, kind="fire"),
        )

        received = await subscriber.items(2)

    assert [(item["data"], item["tags"]) for item in received] == [(2, {"priority": 3}), (5, {"kind": "fire"})]
    assert [int(item["position"].partition(":")[2]) for item in received] == [2, 5]


async def test_history_is_filtered_as_well(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish(channel, 0)
        await subscriber.items(1)
        cursor = subscriber.cursor
    await site.publish_items(_tagged(channel, 1, priority=1), _tagged(channel, 2, priority=4))

    async with reader(site, channel, since=cursor, query=FILTER) as subscriber:
        await subscriber.ready()
        await site.publish_items(_tagged(channel, 3, priority=1), _tagged(channel, 4, priority=5))

        assert await subscriber.data(2) == [2, 4]


async def test_one_who_gets_nothing_still_moves_on(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    """The product's keep-alives come every second here: the position comes with them."""
    async with reader(site, channel, query=FILTER) as subscriber:
        await subscriber.ready()
        await site.publish(channel, 1, 2, 3)
        if isinstance(subscriber, PollReader):
            subscriber.positions[channel] = (await subscriber.poll("&timeout=1"))["cursor"]
        while not subscriber.cursor.endswith(":3"):
            assert (await subscriber.next())["type"] == "position"


async def test_a_wrong_filter_is_refused_before_anything_begins(site: SiteUnderTest, channel: str) -> None:
    answer = await site.get(f"/fanout/sse?channel={channel}&filter=priority")

    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "filter"
    assert "at character 9" in answer.json()["error"]["message"]


async def test_each_subscription_of_a_websocket_has_its_own_filter(site: SiteUnderTest, channel: str) -> None:
    a, b = f"{channel}-a", f"{channel}-b"
    async with WebSocketReader(site, a) as subscriber:
        await subscriber.ready()
        await subscriber.send(type="subscribe", channel=b, filter="priority == 2")
        await subscriber.until("subscribed")
        await site.publish_items(
            _tagged(a, 1, priority=1), _tagged(b, 2, priority=1), _tagged(b, 3, priority=2), _tagged(a, 4)
        )
        assert await subscriber.data(3) == [1, 3, 4]

        await subscriber.send(type="unsubscribe", channel=b)
        assert (await subscriber.next())["type"] == "unsubscribed"
        await subscriber.send(type="subscribe", channel=b)
        await subscriber.until("subscribed")
        await site.publish_items(_tagged(b, 5, priority=1))
        assert await subscriber.data(1) == [5]
