"""What every transport promises of items, on our own server and under Daphne (docs/api/subscribe.md)."""

import asyncio
import base64
import json
from collections.abc import Callable

import pytest

from tests.contracts.transports import (
    READERS,
    Message,
    PollReader,
    Reader,
    SiteUnderTest,
    SseReader,
    StreamReader,
    WebSocketReader,
)

STREAMS = [WebSocketReader, SseReader, StreamReader]


@pytest.fixture(params=STREAMS, ids=lambda kind: kind.path)
def stream(request: pytest.FixtureRequest) -> type[Reader]:
    """The readers of those transports that stay open."""
    kind: type[Reader] = request.param
    return kind


async def test_a_stream_begins_with_welcome_and_one_subscribed_per_channel(
    site: SiteUnderTest, stream: type[Reader], channel: str
) -> None:
    async with stream(site, channel, f"{channel}-b") as subscriber:
        await subscriber.ready()

    welcome, *subscribed = [message for message in subscriber.aside if message["type"] != "keep-alive"]
    assert (welcome["type"], welcome["realm"], welcome["keep_alive_s"]) == ("welcome", site.realm.realm, 1)
    assert [(message["channel"], message["recovered"]) for message in subscribed] == [
        (channel, False),
        (f"{channel}-b", False),
    ]


async def test_two_connections_have_two_names(site: SiteUnderTest, stream: type[Reader], channel: str) -> None:
    async with stream(site, channel) as one, stream(site, channel) as other:
        await one.ready()
        await other.ready()

    assert one.told("welcome")[0]["connection"] != other.told("welcome")[0]["connection"]


async def test_items_come_in_order_each_once(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        for number in range(0, 60, 3):
            await site.publish(channel, number, number + 1, number + 2)

        received = await subscriber.items(60)

    assert [message["data"] for message in received] == list(range(60))
    assert [int(message["position"].partition(":")[2]) for message in received] == list(range(1, 61))


async def test_all_subscribers_get_every_item(site: SiteUnderTest, channel: str) -> None:
    subscribers = [kind(site, channel) for kind in READERS.values() for _ in range(3)]
    for subscriber in subscribers:
        await subscriber.__aenter__()
        await subscriber.ready()
    await site.publish(channel, *range(10))

    received = await asyncio.gather(*(subscriber.data(10) for subscriber in subscribers))

    for subscriber in subscribers:
        await subscriber.__aexit__(None, None, None)
    assert received == [list(range(10))] * 12


async def test_several_channels_share_a_connection(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    a, b, other = f"{channel}-a", f"{channel}-b", f"{channel}-other"
    async with reader(site, a, b) as subscriber:
        await subscriber.ready()
        await site.publish(a, 1)
        await site.publish(other, "not for us")
        await site.publish(b, 2)
        await site.publish(a, 3)

        received = await subscriber.items(3)

    by_channel = [[m["data"] for m in received if m["channel"] == name] for name in (a, b)]
    assert by_channel == [[1, 3], [2]]  # there is an order within a channel, and none between channels


@pytest.mark.parametrize(
    "name", ["prices/eur usd", "näme", "a,b", "%41", "a&b=c#d?e+f", "日本語", "'\"\\<script>"], ids=ascii
)
async def test_channels_have_any_printable_name(
    site: SiteUnderTest, reader: type[Reader], channel: str, name: str
) -> None:
    async with reader(site, channel + name) as subscriber:
        await subscriber.ready()
        await site.publish(channel + name, "found")

        assert [(m["channel"], m["data"]) for m in await subscriber.items(1)] == [(channel + name, "found")]


@pytest.mark.parametrize(
    "text",
    [
        '{"b":1,"a":2.50,"big":123456789012345678901234567890}',
        "null",
        '"\\u2028 \u2028 \\n"',
        "[[[[]]]]",
        '{"a":\n  [1,\r\n2]}',
    ],
)
async def test_json_arrives_as_it_was_published(
    site: SiteUnderTest, reader: type[Reader], channel: str, text: str
) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        answer = await site.http.post(
            f"{site.url}/realm/{site.realm.realm}/publish/",
            content=f'{{"items":[{{"channel":"{channel}","json-object":{text}}}]}}',
            auth=site.realm.auth,
        )
        assert answer.status_code == 200

        assert await subscriber.data(1) == [json.loads(text)]


async def test_an_item_carries_the_id_it_was_published_with(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish_items({"channel": channel, "id": "18", "json-object": 1})
        await site.publish(channel, 2)

        first, second = await subscriber.items(2)

    assert first["id"] == "18"
    assert "id" not in second


async def test_a_duplicate_is_delivered_once(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    item = {"channel": channel, "id": "same", "json-object": "once"}
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish_items(item)
        await site.publish_items(item, item)
        await site.publish(channel, "end")

        assert await subscriber.data(2) == ["once", "end"]


#: Format → the transports that it has something for.
_FORMATS: list[tuple[str, str, Callable[[str], Message], list[type[Reader]]]] = [
    ("ws-message", "content", lambda text: {"content": text}, [WebSocketReader]),
    ("http-stream", "content", lambda text: {"content": text}, [SseReader, StreamReader]),
    ("http-response", "body", lambda text: {"body": text}, [PollReader]),
]


@pytest.mark.parametrize(("name", "member", "make", "readers"), _FORMATS, ids=[entry[0] for entry in _FORMATS])
async def test_each_format_is_for_its_transports_and_only_moves_the_position_of_others(
    site: SiteUnderTest,
    reader: type[Reader],
    channel: str,
    name: str,
    member: str,
    make: Callable[[str], Message],
    readers: list[type[Reader]],
) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish_items({"channel": channel, name: make("for some\n")})
        await site.publish_items({"channel": channel, name: {f"{member}-bin": base64.b64encode(b"\xff\n").decode()}})
        await site.publish(channel, "for all")

        messages = [await subscriber.next()]
        while messages[-1].get("data") != "for all":
            messages.append(await subscriber.next())

    first, second = ("", "") if len(messages) == 1 else messages[:2]
    if reader in readers:
        assert first["text"] == "for some\n"
        assert second["base64"] == base64.b64encode(b"\xff\n").decode()
    elif reader is PollReader:
        assert len(messages) == 1
    else:
        assert [message["type"] for message in messages] == ["position", "position", "item"]
    assert messages[-1]["position"].endswith(":3")


async def test_json_wins_over_the_transports_own_format(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        formats = {
            "json-object": "json",
            "ws-message": {"content": "own"},
            "http-stream": {"content": "own"},
            "http-response": {"body": "own"},
        }
        await site.publish_items({"channel": channel, "formats": formats})

        [message] = await subscriber.items(1)

    assert message["data"] == "json"
    assert "text" not in message


async def test_a_close_item_ends_websockets_with_its_code_and_reason(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketReader(site, channel) as subscriber:
        await subscriber.ready()
        close = {"action": "close", "code": 4321, "reason": "house is full"}
        await site.publish_items({"channel": channel, "ws-message": close})

        position, end = await subscriber.next(), await subscriber.next()

    assert (position["type"], position["position"][-2:]) == ("position", ":1")
    reason = "house is full" if site.is_prepared else ""  # Daphne sends the code alone
    assert end == {"type": "end", "code": 4321, "reason": reason}


async def test_a_close_item_without_a_code_ends_websockets_with_1000(site: SiteUnderTest, channel: str) -> None:
    async with WebSocketReader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish_items({"channel": channel, "ws-message": {"action": "close"}})
        await subscriber.next()

        assert (await subscriber.next())["code"] == 1000


@pytest.mark.parametrize("kind", [SseReader, StreamReader], ids=["sse", "http-stream"])
@pytest.mark.parametrize("channels", [1, 2])
async def test_a_close_item_ends_streams_with_a_whole_response(
    site: SiteUnderTest, channel: str, kind: type[Reader], channels: int
) -> None:
    async with kind(site, *[channel, f"{channel}-b"][:channels]) as subscriber:
        await subscriber.ready()
        await site.publish_items({"channel": channel, "http-stream": {"action": "close"}})

        position, end = await subscriber.next(), await subscriber.next()

    assert (position["type"], end["type"]) == ("position", "end")


async def test_a_close_of_another_transport_ends_nothing(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    other = "http-stream" if reader is WebSocketReader else "ws-message"
    async with reader(site, channel) as subscriber:
        await subscriber.ready()
        await site.publish_items({"channel": channel, other: {"action": "close"}})
        await site.publish(channel, "still here")

        message = await subscriber.next()
        if message["type"] == "position":
            message = await subscriber.next()

    assert message["data"] == "still here"


async def test_keep_alives_come(site: SiteUnderTest, stream: type[Reader], channel: str) -> None:
    async with stream(site, channel) as subscriber:
        await subscriber.until("keep-alive")
        again = await subscriber.until("keep-alive")

    assert again["type"] == "keep-alive"


async def test_the_host_form_is_the_same_site(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    async with reader(site, channel, by_host=True) as subscriber:
        await subscriber.ready()
        await site.publish(channel, "by host")

        assert await subscriber.data(1) == ["by host"]


async def test_raw_streams_carry_what_was_published_and_nothing_else(site: SiteUnderTest, channel: str) -> None:
    async with StreamReader(site, channel, query="mode=raw") as subscriber:
        assert subscriber.response.headers["content-type"] == "text/plain; charset=utf-8"
        assert await subscriber.next_line() == ""  # the first keep-alive: it is subscribed by now
        await site.publish_items({"channel": channel, "http-stream": {"content": "first\n"}})
        await site.publish_items({"channel": channel, "ws-message": {"content": "for WebSockets"}})
        await site.publish(channel, {"n": 1})

        lines = []
        while len(lines) < 2:
            lines += [line for line in [await subscriber.next_line()] if line]

    assert lines == ["first", '{"n":1}']
