"""What every broker promises people who look at what is kept: both directions, bounds, and no traces."""

import pytest

from fanoutcloud.broker.base import HistoryWindow
from fanoutcloud.core.directory import Retention
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition
from tests.contracts.brokers import KEEP, World, item

HELLO = ChannelName("hello")


async def _offsets(world: World, **window: object) -> list[int]:
    history = await world.opened[0].read_history(world.realm, HELLO, HistoryWindow(**window))  # type: ignore[arg-type]
    return [one.position.offset for one in history.items]


@pytest.mark.parametrize(
    ("after", "before", "limit", "is_newest_first", "offsets"),
    [
        (None, None, 100, False, [3, 4, 5, 6, 7]),
        (None, None, 100, True, [7, 6, 5, 4, 3]),
        (None, None, 2, False, [3, 4]),
        (None, None, 2, True, [7, 6]),
        (4, None, 100, False, [5, 6, 7]),
        (0, None, 2, False, [3, 4]),
        (7, None, 100, False, []),
        (None, 5, 100, True, [4, 3]),
        (None, 5, 1, True, [4]),
        (None, 3, 100, True, []),
        (None, 1, 100, True, []),
        (None, 99, 2, True, [7, 6]),
        (3, 6, 100, False, [4, 5]),
        (3, 6, 1, True, [5]),
        (99, None, 100, False, []),
    ],
)
async def test_a_window_of_what_is_kept(
    world: World, after: int | None, before: int | None, limit: int, is_newest_first: bool, offsets: list[int]
) -> None:
    broker, _ = await world.open()
    keep_five = Retention(items=5, age_s=300)
    await broker.publish(world.realm, [item(n) for n in range(1, 8)], retention=keep_five)
    [top] = await broker.positions([(world.realm, HELLO)])
    bounds = [None if bound is None else StreamPosition(top.epoch, bound) for bound in (after, before)]

    window = HistoryWindow(bounds[0], bounds[1], limit, is_newest_first)
    history = await broker.read_history(world.realm, HELLO, window)

    assert [one.position for one in history.items] == [StreamPosition(top.epoch, offset) for offset in offsets]
    assert [one.item for one in history.items] == [item(offset) for offset in offsets]
    assert (history.position, history.is_other_epoch) == (top, False)


async def test_items_tell_when_they_were_published(world: World) -> None:
    broker, _ = await world.open()
    await broker.publish(world.realm, [item("a")], retention=KEEP)
    await world.pass_time(0.05)
    await broker.publish(world.realm, [item("b")], retention=KEEP)

    first, second = (await broker.read_history(world.realm, HELLO, HistoryWindow())).items

    assert 0.04 < second.published_at - first.published_at < 5


async def test_items_beyond_their_age_are_not_shown(world: World) -> None:
    broker, _ = await world.open()
    short = Retention(items=100, age_s=2.0)
    await broker.publish(world.realm, [item(n) for n in range(1, 5)], retention=short)
    await world.pass_time(2.05)
    await broker.publish(world.realm, [item(5), item(6)], retention=short)

    assert await _offsets(world, limit=2) == [5, 6]
    assert await _offsets(world, limit=1) == [5]
    assert await _offsets(world, limit=3, is_newest_first=True) == [6, 5]


async def test_bounds_of_another_epoch_are_not_regarded(world: World) -> None:
    broker, _ = await world.open()
    await broker.publish(world.realm, [item(1), item(2)], retention=KEEP)

    history = await broker.read_history(world.realm, HELLO, HistoryWindow(after=StreamPosition("abcdefgh", 1)))

    assert history.is_other_epoch
    assert [one.position.offset for one in history.items] == [1, 2]


async def test_bounds_of_two_epochs_are_of_another_one(world: World) -> None:
    broker, _ = await world.open()
    await broker.publish(world.realm, [item(1)], retention=KEEP)
    [top] = await broker.positions([(world.realm, HELLO)])

    window = HistoryWindow(after=top, before=StreamPosition("abcdefgh", 1))

    assert (await broker.read_history(world.realm, HELLO, window)).is_other_epoch


async def test_looking_makes_no_stream(world: World) -> None:
    broker, _ = await world.open()

    for _ in range(2):
        history = await broker.read_history(world.realm, HELLO, HistoryWindow())
        assert (history.items, history.position) == ([], None)


async def test_a_stream_without_items_has_a_position(world: World) -> None:
    broker, _ = await world.open()
    position = await broker.subscribe(world.realm, HELLO)

    history = await broker.read_history(world.realm, HELLO, HistoryWindow())

    assert (history.items, history.position) == ([], position)


async def test_realms_never_meet(world: World) -> None:
    broker, _ = await world.open()
    await broker.publish(world.realm, [item("ours")], retention=KEEP)

    assert (await broker.read_history(RealmId("other"), HELLO, HistoryWindow())).position is None
