"""Coming back: what was missed is delivered in order, each item once, or the loss is told (docs/api/subscribe.md)."""

import asyncio
from itertools import permutations

import pytest

from tests.contracts.transports import PATIENCE_S, READERS, PollReader, Reader, SiteUnderTest, SseReader

ITEMS = 8
#: More than the 100 that a channel keeps by default.
MORE_THAN_IS_KEPT = 130


async def _positions(site: SiteUnderTest, channel: str, count: int) -> list[str]:
    """Publish `count` items, numbered from 0; return the position before the first and after each."""
    async with PollReader(site, channel) as poller:
        await poller.ready()
        start = poller.cursor
        if count:
            await site.publish(channel, *range(count))
    epoch = start.partition(":")[0]
    return [f"{epoch}:{offset}" for offset in range(count + 1)]


@pytest.mark.parametrize("cut", range(ITEMS + 1))
async def test_resuming_anywhere_repeats_and_loses_nothing(
    site: SiteUnderTest, reader: type[Reader], channel: str, cut: int
) -> None:
    positions = await _positions(site, channel, ITEMS)

    async with reader(site, channel, since=positions[cut]) as subscriber:
        await subscriber.ready()
        await site.publish(channel, ITEMS)

        assert await subscriber.data(ITEMS + 1 - cut) == list(range(cut, ITEMS + 1))
        assert all(message["recovered"] for message in subscriber.told("subscribed"))


async def test_coming_and_going_while_items_are_published_leaves_no_gap_and_repeats_nothing(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    [start, *_] = await _positions(site, channel, 0)
    total = 90

    async def publish() -> None:
        for number in range(0, total, 2):
            await site.publish(channel, number, number + 1)

    received: list[int] = []
    async with asyncio.timeout(4 * PATIENCE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(publish())
        cursor = start
        while len(received) < total:
            async with reader(site, channel, since=cursor) as subscriber:
                received += await subscriber.data(min(7, total - len(received)))
                cursor = subscriber.cursor

    assert received == list(range(total))


@pytest.mark.parametrize(("before", "after"), list(permutations(READERS, 2)))
async def test_a_position_holds_on_every_transport(site: SiteUnderTest, channel: str, before: str, after: str) -> None:
    async with READERS[before](site, channel) as subscriber:
        await subscriber.ready()
        await site.publish(channel, 0, 1, 2)
        await subscriber.data(3)
        cursor = subscriber.cursor
    await site.publish(channel, 3, 4)

    async with READERS[after](site, channel, since=cursor) as subscriber:
        await site.publish(channel, 5)

        assert await subscriber.data(3) == [3, 4, 5]


async def test_a_cursor_resumes_each_of_several_channels_from_its_own_place(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    channels = [f"{channel}-{letter}" for letter in "abc"]
    positions = [await _positions(site, name, 4) for name in channels]
    cursor = ",".join([positions[0][1], positions[1][4], positions[2][0]])

    async with reader(site, *channels, since=cursor) as subscriber:
        received = await subscriber.items(7)

    by_channel = [[m["data"] for m in received if m["channel"] == name] for name in channels]
    assert by_channel == [[1, 2, 3], [], [0, 1, 2, 3]]


@pytest.mark.parametrize("channels", [1, 3])
async def test_an_event_source_comes_back_by_its_last_event_id(
    site: SiteUnderTest, channel: str, channels: int
) -> None:
    names = [f"{channel}-{number}" for number in range(channels)]
    async with SseReader(site, *names) as subscriber:
        await subscriber.ready()
        await site.publish(names[-1], "seen")
        await subscriber.data(1)
        last_event_id = subscriber.last_event_id
    await site.publish(names[-1], "missed")
    await site.publish(names[0], "missed, too")

    # The URL still carries the first `since`, as an EventSource repeats it: the header wins.
    first = ",".join(f"{part.partition(':')[0]}:0" for part in (last_event_id or "").split(","))
    async with SseReader(site, *names, since=first, last_event_id=last_event_id) as subscriber:
        received = await subscriber.data(2)

    assert sorted(received) == ["missed", "missed, too"]


async def test_the_query_member_last_event_id_is_a_cursor_too(site: SiteUnderTest, channel: str) -> None:
    positions = await _positions(site, channel, 2)

    async with SseReader(site, channel, query=f"lastEventId={positions[1]}") as subscriber:
        assert await subscriber.data(1) == [1]


async def test_a_position_of_another_epoch_is_told_reset_and_goes_on_from_now(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    positions = await _positions(site, channel, 3)

    async with reader(site, channel, since="zzzzzzzz:1") as subscriber:
        reset = await subscriber.next()
        await site.publish(channel, "live")

        assert await subscriber.data(1) == ["live"]
    assert {name: reset[name] for name in ("type", "channel", "position", "reason")} == {
        "type": "reset",
        "channel": channel,
        "position": positions[3],
        "reason": "epoch_changed",
    }
    assert not any(message["recovered"] for message in subscriber.told("subscribed"))


async def test_a_position_of_the_future_is_told_reset(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    [start, *_] = await _positions(site, channel, 2)

    async with reader(site, channel, since=start.replace(":0", ":9000")) as subscriber:
        reset = await subscriber.next()

    assert (reset["type"], reset["reason"]) == ("reset", "epoch_changed")


async def test_a_position_that_is_no_longer_kept_is_told_reset(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    positions = await _positions(site, channel, MORE_THAN_IS_KEPT)

    async with reader(site, channel, since=positions[5]) as subscriber:
        reset = await subscriber.next()
        await site.publish(channel, "live")

        assert await subscriber.data(1) == ["live"]
    assert (reset["type"], reset["reason"]) == ("reset", "history_expired")
    assert reset["position"] == positions[-1]


async def test_all_that_is_kept_is_delivered(site: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    positions = await _positions(site, channel, MORE_THAN_IS_KEPT)

    async with reader(site, channel, since=positions[MORE_THAN_IS_KEPT - 100]) as subscriber:
        await subscriber.ready()
        await site.publish(channel, MORE_THAN_IS_KEPT)

        assert await subscriber.data(101) == list(range(30, MORE_THAN_IS_KEPT + 1))


async def test_a_reset_of_one_channel_spares_the_others(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    positions = await _positions(site, channel, 2)
    lost = f"{channel}-lost"

    async with reader(site, lost, channel, since=f"zzzzzzzz:1,{positions[1]}") as subscriber:
        messages = [await subscriber.next(), await subscriber.next()]

    assert sorted((message["type"], message["channel"]) for message in messages) == [("item", channel), ("reset", lost)]


async def test_large_history_reaches_a_subscriber_that_reads(
    site: SiteUnderTest, reader: type[Reader], channel: str
) -> None:
    """4 MB of history is more than may wait unsent: the server sends it at the pace that it is read."""
    text = "x" * 50_000
    [start, *_] = await _positions(site, channel, 0)
    for number in range(0, 80, 16):
        await site.publish(channel, *([n, text] for n in range(number, number + 16)))

    async with reader(site, channel, since=start) as subscriber:
        received = await subscriber.data(80)

    assert [number for number, _ in received] == list(range(80))


async def test_one_answer_to_a_poll_holds_about_a_mebibyte(site: SiteUnderTest, channel: str) -> None:
    [start, *_] = await _positions(site, channel, 0)
    for _ in range(3):
        await site.publish(channel, *["x" * 50_000] * 16)

    async with PollReader(site, channel, since=start) as subscriber:
        answers = [await subscriber.poll("&timeout=0") for _ in range(3)]

    assert [len(answer["items"]) for answer in answers] == [21, 21, 6]
