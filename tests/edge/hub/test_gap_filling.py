"""Epochs that change while a gap is filled: servers that disagree, as while a primary is replaced."""

import asyncio

import pytest

from fanoutcloud.core.items import Item
from fanoutcloud.core.streams import EPOCH_CHANGED, PositionLost, StoredItem, StreamPosition
from fanoutcloud.edge.hub import gap_filling
from tests.edge.worlds import HELLO, REALM, EdgeWorld, RecordingSubscriber, until


class Servers:
    """What the broker answers from: one server's epoch and how many items it has; can be exchanged."""

    def __init__(self, epoch: str, last: int) -> None:
        self.epoch = epoch
        self.last = last
        self.asked = 0
        self.successor: Servers | None = None

    async def read_since(self, *about: object, limit: int) -> list[StoredItem]:
        since = about[-1]
        assert isinstance(since, StreamPosition)
        self.asked += 1
        if self.asked > 1 and self.successor is not None:
            self.epoch, self.last = self.successor.epoch, self.successor.last
        if since.epoch != self.epoch:
            raise PositionLost(EPOCH_CHANGED, StreamPosition(self.epoch, self.last))
        return [self.item(number) for number in range(since.offset + 1, self.last + 1)][:limit]

    def item(self, number: int, epoch: str = "") -> StoredItem:
        position = StreamPosition(epoch or self.epoch, number)
        return StoredItem(position, Item(channel=HELLO, json_object=str(number).encode()))


@pytest.fixture
def servers(world: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers("", 0)
    monkeypatch.setattr(world.broker, "read_since", servers.read_since)
    monkeypatch.setattr(gap_filling, "FILL_RETRY_S", 0)
    return servers


async def _joined(world: EdgeWorld, servers: Servers) -> RecordingSubscriber:
    subscriber = await world.joined()
    top = await world.top()
    servers.epoch, servers.last = top.epoch, top.offset
    return subscriber


async def _until_filled(world: EdgeWorld) -> None:
    await until(lambda: world.hub.channels[REALM, HELLO].pending is None)
    await asyncio.sleep(0)  # what a turn of the event loop has gathered is written at its end


async def test_a_new_epoch_is_told_as_a_reset_before_its_first_item(world: EdgeWorld, servers: Servers) -> None:
    subscriber = await _joined(world, servers)
    servers.epoch, servers.last = "newepoch", 4

    world.hub.on_items([(REALM, HELLO, servers.item(4))])
    await _until_filled(world)

    assert subscriber.kinds == ["subscribed", "reset", "item"]
    assert subscriber.messages[1]["position"] == "newepoch:3"
    assert subscriber.messages[1]["reason"] == "epoch_changed"
    assert subscriber.numbers == [4]


async def test_items_of_a_server_that_is_no_longer_asked_are_passed_over(world: EdgeWorld, servers: Servers) -> None:
    subscriber = await _joined(world, servers)

    world.hub.on_items([(REALM, HELLO, servers.item(7, "oldepoch"))])
    await _until_filled(world)
    servers.last = 1
    world.hub.on_items([(REALM, HELLO, servers.item(1))])

    assert subscriber.kinds == ["subscribed", "item"]
    assert subscriber.numbers == [1]
    assert servers.asked == 1 + gap_filling.MAX_DOUBTS


async def test_items_of_a_new_server_wait_until_the_broker_asks_it_too(world: EdgeWorld, servers: Servers) -> None:
    subscriber = await _joined(world, servers)

    servers.successor = Servers("newepoch", 6)

    world.hub.on_items([(REALM, HELLO, servers.item(5, "newepoch"))])
    await _until_filled(world)

    assert subscriber.kinds == ["subscribed", "reset", "item", "item"]
    assert subscriber.numbers == [5, 6]


async def test_an_epoch_that_comes_twice_repeats_nothing(world: EdgeWorld, servers: Servers) -> None:
    """One has read more of an epoch than came live, and then the broker was another server for a while."""
    watching = await _joined(world, servers)
    await world.publish(1)
    here, there = servers.epoch, "otherepoch"
    servers.last = 3
    reading = RecordingSubscriber()
    await world.join(reading, since=StreamPosition(here, 0))
    assert (watching.numbers, reading.numbers) == ([1], [1, 2, 3])

    servers.epoch, servers.last = there, 9
    world.hub.on_items([(REALM, HELLO, servers.item(9))])
    await _until_filled(world)
    servers.epoch, servers.last = here, 4
    world.hub.on_items([(REALM, HELLO, servers.item(number)) for number in (2, 3, 4)])
    await _until_filled(world)

    assert reading.numbers == [1, 2, 3, 9, 4]
    assert watching.numbers == [1, 9, 4]
    assert [one["position"] for one in watching.messages if one["type"] == "reset"] == [f"{there}:8", f"{here}:3"]


async def test_servers_that_go_on_disagreeing_hold_nothing_up(world: EdgeWorld, servers: Servers) -> None:
    subscriber = await _joined(world, servers)

    for number in (1, 2, 3):
        world.hub.on_items([(REALM, HELLO, servers.item(number, "oldepoch"))])
        servers.last = number
        world.hub.on_items([(REALM, HELLO, servers.item(number))])
        await asyncio.sleep(0)
    await _until_filled(world)

    assert subscriber.numbers == [1, 2, 3]
    assert "reset" not in subscriber.kinds
