"""Items as what has changed: whole at first, made once for all, and whole again whenever a base is missing."""

import json

import pytest

from fanoutcloud.core.items import Item
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES, PLAIN_RAW_STREAM, PLAIN_SSE
from fanoutcloud.edge.selection import selected
from fanoutcloud.edge.selection.selected import Wish
from fanoutcloud.edge.selection.wishes import read_wish
from tests.edge.worlds import HELLO, KEEP, REALM, EdgeWorld, IndividualSubscriber, Message, RecordingSubscriber

SAME = "x" * 100


async def _publish(world: EdgeWorld, *documents: Message, **tags: int) -> None:
    items = [
        Item(channel=HELLO, json_object=json.dumps(one | {"same": SAME}).encode(), tags=dict(tags)) for one in documents
    ]
    await world.broker.publish(REALM, items, retention=KEEP)


async def _join(world: EdgeWorld, wish: Wish | None = None) -> RecordingSubscriber:
    subscriber = RecordingSubscriber(PLAIN_JSON_LINES)
    subscriber.wishes = {HELLO: wish or Wish(has_delta=True)}
    await world.join(subscriber)
    return subscriber


def _items(subscriber: RecordingSubscriber) -> list[Message]:
    return [message for message in subscriber.messages if message["type"] == "item"]


async def test_the_first_item_is_whole_and_what_follows_is_what_changed(world: EdgeWorld) -> None:
    subscriber = await _join(world)

    await _publish(world, {"n": 1}, {"n": 2})
    await _publish(world, {"m": 3})

    first, second, third = _items(subscriber)
    assert first["data"] == {"n": 1, "same": SAME}
    assert (second["patch"], second["base"]) == ({"n": 2}, first["position"])
    assert (third["patch"], third["base"]) == ({"n": None, "m": 3}, second["position"])


async def test_it_is_made_once_for_all(world: EdgeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []
    make = selected.make_merge_patch

    def counted(base: bytes, target: bytes) -> bytes | None:
        made.append(target)
        return make(base, target)

    monkeypatch.setattr(selected, "make_merge_patch", counted)
    subscribers = [await _join(world) for _ in range(10)]

    await _publish(world, {"n": 1}, {"n": 2}, {"n": 3})

    assert len(made) == 2
    assert all(_items(one)[-1]["patch"] == {"n": 3} for one in subscribers)


async def test_who_comes_later_gets_its_first_item_whole(world: EdgeWorld) -> None:
    early = await _join(world)
    await _publish(world, {"n": 1})
    late = await _join(world)
    await _publish(world, {"n": 2}, {"n": 3})

    assert ["patch" in one for one in _items(early)] == [False, True, True]
    assert ["patch" in one for one in _items(late)] == [False, True]


async def test_after_a_reset_the_next_item_is_whole(world: EdgeWorld) -> None:
    subscriber = await _join(world)
    await _publish(world, {"n": 1})
    [local] = world.hub.channels.values()
    world.hub.restart(local, local.position, "epoch_changed")

    await _publish(world, {"n": 2})

    assert "data" in _items(subscriber)[-1]


async def test_items_that_are_no_objects_or_shorter_are_whole(world: EdgeWorld) -> None:
    subscriber = await _join(world)

    await world.publish(1, 2)
    await world.publish_item(json_object=b'{"a":1}')
    await world.publish_item(json_object=b'{"a":2}')

    assert all("data" in one for one in _items(subscriber))


async def test_the_base_is_the_last_item_that_was_chosen(world: EdgeWorld) -> None:
    wish = read_wish({"filter": "n == 1", "delta": "merge-patch"})
    subscriber = await _join(world, wish)

    await _publish(world, {"v": 1}, n=1)
    await _publish(world, {"v": 2}, n=2)
    await _publish(world, {"v": 3}, n=1)

    first, second = _items(subscriber)
    assert (second["patch"], second["base"]) == ({"v": 3}, first["position"])


async def test_others_get_whole_items_and_so_do_transports_without_deltas(world: EdgeWorld) -> None:
    plain, raw, single = await world.joined(), RecordingSubscriber(PLAIN_RAW_STREAM), IndividualSubscriber()
    for subscriber in (raw, single):
        subscriber.wishes = {HELLO: Wish(has_delta=True)}
        await world.join(subscriber)
    await _join(world)

    await _publish(world, {"n": 1}, {"n": 2})

    assert all("data" in one for one in _items(plain) + _items(single))
    assert [json.loads(frame)["n"] for frame in raw.sink.frames] == [1, 2]


async def test_an_event_of_sse_has_its_cursor(world: EdgeWorld) -> None:
    subscriber = RecordingSubscriber(PLAIN_SSE)
    subscriber.wishes = {HELLO: Wish(has_delta=True)}
    await world.join(subscriber)

    await _publish(world, {"n": 1}, {"n": 2})

    assert subscriber.sink.frames[-1].startswith(b"id: %b\ndata: {" % str(await world.top()).encode())
    assert b'"patch":{"n":2}' in subscriber.sink.frames[-1]
