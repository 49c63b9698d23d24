"""What every broker promises of its streams: order, positions, history, who sees what."""

import asyncio

import pytest

from fanoutcloud.broker.base import Outcome
from fanoutcloud.broker.sequencing import StreamRules
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import (
    EPOCH_CHANGED,
    EPOCH_LENGTH,
    HISTORY_EXPIRED,
    PositionLost,
    StreamPosition,
    parse_position,
)
from tests.contracts.brokers import KEEP, World, item, texts

HELLO = ChannelName("hello")
ODD_NAMES = [
    "a",
    "a}",
    "a}:meta",
    "{a}",
    "{",
    "}",
    "{}",
    "a/b",
    "/a",
    "a:items",
    "a:id:=1",
    "%7D",
    "a%7D",
    "a b",
    "*",
    "a*",
    "[a]",
    "?",
    "żółw 🐢",
    "x" * 512,
    "🐢" * 128,
]


async def test_the_first_position_of_a_channel_is_zero_and_can_be_written_down(world: World) -> None:
    broker, _ = await world.open()

    position = await broker.subscribe(world.realm, HELLO)

    assert position.offset == 0
    assert len(position.epoch) == EPOCH_LENGTH
    assert parse_position(str(position)) == position


async def test_items_of_a_publish_get_rising_offsets_in_their_order(world: World) -> None:
    broker, _ = await world.open()
    start = await broker.subscribe(world.realm, HELLO)

    results = await broker.publish(world.realm, [item(n) for n in range(5)], retention=KEEP)

    assert [result.outcome for result in results] == [Outcome.STORED] * 5
    assert [result.position for result in results] == [StreamPosition(start.epoch, n) for n in range(1, 6)]
    assert texts(await broker.read_since(world.realm, HELLO, start, limit=10)) == ["0", "1", "2", "3", "4"]


async def test_a_publish_to_several_channels_answers_in_the_order_of_its_items(world: World) -> None:
    broker, _ = await world.open()
    mixed = [item(n, channel) for n, channel in enumerate(["a", "b", "a", "c", "b", "a"])]

    results = await broker.publish(world.realm, mixed, retention=KEEP)

    assert [result.position.offset for result in results if result.position] == [1, 1, 2, 1, 2, 3]
    a, b, c = await broker.positions([(world.realm, ChannelName(name)) for name in "abc"])
    assert len({a.epoch, b.epoch, c.epoch}) == 3
    assert (a.offset, b.offset, c.offset) == (3, 2, 1)


async def test_publishing_nothing_answers_nothing(world: World) -> None:
    broker, _ = await world.open()

    assert await broker.publish(world.realm, [], retention=KEEP) == []
    assert await broker.positions([]) == []


async def test_an_item_comes_back_exactly_as_it_was_published(world: World) -> None:
    broker, _ = await world.open()
    start = await broker.subscribe(world.realm, HELLO)
    published = item('{"a":1.50,"żółw":"🐢"}', id="18", prev_id="17", no_seq=True)

    await broker.publish(world.realm, [published], retention=KEEP)

    (stored,) = await broker.read_since(world.realm, HELLO, start, limit=10)
    assert stored.item == published


async def test_history_is_read_in_pages(world: World) -> None:
    broker, _ = await world.open()
    position = await broker.subscribe(world.realm, HELLO)
    await broker.publish(world.realm, [item(n) for n in range(7)], retention=KEEP)

    pages = []
    while page := await broker.read_since(world.realm, HELLO, position, limit=3):
        pages.append(texts(page))
        position = page[-1].position

    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    assert await broker.read_since(world.realm, HELLO, position, limit=0) == []


async def test_only_the_newest_items_are_kept(world: World) -> None:
    broker, _ = await world.open()
    start = await broker.subscribe(world.realm, HELLO)
    keep_three = Retention(items=3, age_s=300)

    for n in range(4):
        await broker.publish(world.realm, [item(n)], retention=keep_three)
    await broker.publish(world.realm, [item(n) for n in range(4, 10)], retention=keep_three)

    assert texts(await broker.read_since(world.realm, HELLO, _at(start, 7), limit=10)) == ["7", "8", "9"]
    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, _at(start, 6), limit=10)
    assert (lost.value.reason, lost.value.top) == (HISTORY_EXPIRED, _at(start, 10))


async def test_items_disappear_when_they_are_too_old_each_at_its_own_time(world: World) -> None:
    broker, _ = await world.open()
    start = await broker.subscribe(world.realm, HELLO)
    short = Retention(items=100, age_s=0.5)
    await broker.publish(world.realm, [item("old")], retention=short)
    await world.pass_time(0.51)
    await broker.publish(world.realm, [item("new")], retention=Retention(items=100, age_s=0.5))

    # Read at once: the second one may not be kept longer either, on a machine that is very slow.
    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, start, limit=10)
    assert lost.value.reason == HISTORY_EXPIRED

    await world.pass_time(0.51)
    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, _at(start, 1), limit=10)
    assert (lost.value.reason, lost.value.top) == (HISTORY_EXPIRED, _at(start, 2))
    assert await broker.read_since(world.realm, HELLO, _at(start, 2), limit=10) == []


@pytest.mark.parametrize("nothing", [Retention(items=0, age_s=300), Retention(items=100, age_s=0)])
async def test_a_channel_without_history_still_counts_and_delivers(world: World, nothing: Retention) -> None:
    broker, listener = await world.open()
    start = await broker.subscribe(world.realm, HELLO)

    await broker.publish(world.realm, [item("a"), item("b")], retention=nothing)

    await listener.wait_for(2)
    assert [one.position for one in listener.of(world.realm)] == [_at(start, 1), _at(start, 2)]
    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, start, limit=10)
    assert lost.value.reason == HISTORY_EXPIRED


async def test_a_position_of_another_epoch_is_lost(world: World) -> None:
    broker, _ = await world.open()
    top = await broker.subscribe(world.realm, HELLO)

    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, StreamPosition("abcdefgh", 0), limit=10)

    assert (lost.value.reason, lost.value.top) == (EPOCH_CHANGED, top)


async def test_a_position_in_the_future_is_lost(world: World) -> None:
    broker, _ = await world.open()
    top = await broker.subscribe(world.realm, HELLO)

    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, _at(top, 1), limit=10)

    assert (lost.value.reason, lost.value.top) == (EPOCH_CHANGED, top)


async def test_reading_a_channel_that_nobody_used_tells_where_it_begins(world: World) -> None:
    broker, _ = await world.open()

    with pytest.raises(PositionLost) as lost:
        await broker.read_since(world.realm, HELLO, StreamPosition("abcdefgh", 3), limit=10)

    assert await broker.positions([(world.realm, HELLO)]) == [lost.value.top]


async def test_an_unused_channel_keeps_its_epoch_until_it_was_idle_for_long(world: World) -> None:
    broker, _ = await world.open(StreamRules(stream_idle_s=1.0))
    (first,) = await broker.positions([(world.realm, HELLO)])
    assert await broker.positions([(world.realm, HELLO)]) == [first]

    await world.pass_time(1.2)  # a broker may keep it for a sixteenth longer
    if hasattr(broker, "sweep"):
        broker.sweep()

    (second,) = await broker.positions([(world.realm, HELLO)])
    assert second.epoch != first.epoch


async def test_a_channel_with_kept_items_outlives_the_idle_time(world: World) -> None:
    broker, _ = await world.open(StreamRules(stream_idle_s=0.1))
    await broker.publish(world.realm, [item("kept")], retention=KEEP)
    (first,) = await broker.positions([(world.realm, HELLO)])

    await world.pass_time(0.2)
    if hasattr(broker, "sweep"):
        broker.sweep()

    assert await broker.positions([(world.realm, HELLO)]) == [first]
    assert texts(await broker.read_since(world.realm, HELLO, _at(first, 0), limit=10)) == ["kept"]


async def test_channels_with_odd_names_never_meet(world: World) -> None:
    broker, listener = await world.open()
    starts = {name: await broker.subscribe(world.realm, ChannelName(name)) for name in ODD_NAMES}

    for name in ODD_NAMES:
        await broker.publish(world.realm, [item(f"for {name}", name, id="1")], retention=KEEP)

    await listener.wait_for(len(ODD_NAMES))
    for name in ODD_NAMES:
        assert listener.texts(world.realm, name) == [f"for {name}"]
        kept = await broker.read_since(world.realm, ChannelName(name), starts[name], limit=10)
        assert texts(kept) == [f"for {name}"]


async def test_realms_never_meet(world: World) -> None:
    broker, listener = await world.open()
    other = RealmId(f"{world.realm}x")
    await broker.subscribe(world.realm, HELLO)
    theirs = await broker.subscribe(other, HELLO)

    await broker.publish(world.realm, [item("for Alice", id="1")], retention=KEEP)
    await broker.publish(other, [item("for Charlie", id="1")], retention=KEEP)

    await listener.wait_for(2)
    assert listener.texts(world.realm) == ["for Alice"]
    assert listener.texts(other) == ["for Charlie"]
    assert texts(await broker.read_since(other, HELLO, theirs, limit=10)) == ["for Charlie"]


@pytest.mark.parametrize("prefix", ["", "a", "{", "[a", "*", "a%", "}", "?", "ż", "none"])
async def test_channels_are_listed_by_the_beginnings_of_their_names(world: World, prefix: str) -> None:
    broker, _ = await world.open()
    other = RealmId(f"{world.realm}x")
    names = [ChannelName(name) for name in [*ODD_NAMES, "orders", "order"]]
    await broker.positions([(world.realm, name) for name in names])
    await broker.positions([(other, ChannelName("another"))])

    listed = await broker.list_channels(world.realm, prefix=prefix, limit=1000)
    some = await broker.list_channels(world.realm, limit=3)

    assert sorted(listed) == sorted(name for name in names if name.startswith(prefix))
    assert len(some) == 3


async def test_forgetting_a_realm_ends_its_streams_and_no_others(world: World) -> None:
    broker, _ = await world.open()
    other = RealmId(f"{world.realm}x")
    bait = ChannelName(f"{{{world.realm}/hello")
    before = await broker.positions([(world.realm, HELLO), (other, HELLO), (other, bait)])
    await broker.publish(world.realm, [item("gone", id="1")], retention=KEEP)

    await broker.forget_realm(world.realm)

    after = await broker.positions([(world.realm, HELLO), (other, HELLO), (other, bait)])
    assert after[0].epoch != before[0].epoch
    assert after[0].offset == 0
    assert after[1:] == before[1:]
    (result,) = await broker.publish(world.realm, [item("new life", id="1")], retention=KEEP)
    assert result.outcome is Outcome.STORED


async def test_concurrent_publishes_share_one_order_for_history_and_live(world: World) -> None:
    broker, listener = await world.open()
    start = await broker.subscribe(world.realm, HELLO)
    keep_all = Retention(items=1000, age_s=300)

    results = await asyncio.gather(
        *(broker.publish(world.realm, [item(f"{n}.{k}") for k in range(3)], retention=keep_all) for n in range(60))
    )

    await listener.wait_for(180)
    kept = await broker.read_since(world.realm, HELLO, start, limit=1000)
    assert kept == listener.of(world.realm)
    assert [one.position.offset for one in kept] == list(range(1, 181))
    for n, result in enumerate(results):  # the items of one publish to one channel stay together
        offsets = [one.position.offset for one in result if one.position]
        assert offsets == list(range(offsets[0], offsets[0] + 3))
        assert texts(kept[offsets[0] - 1 : offsets[-1]]) == [f"{n}.{k}" for k in range(3)]


async def test_closing_twice_is_fine(world: World) -> None:
    broker, listener = await world.open()
    await broker.subscribe(world.realm, HELLO)

    await broker.close()
    await broker.close()

    assert listener.reconnects == 0  # an end that was asked for is no lost connection


def _at(position: StreamPosition, offset: int) -> StreamPosition:
    return StreamPosition(position.epoch, offset)
