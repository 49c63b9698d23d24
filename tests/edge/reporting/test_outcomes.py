"""What became of an item for each subscriber, worked out afterwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fanoutcloud.core.access import Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.items import WsMessage
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.tag_filters import parse_filter
from fanoutcloud.core.why import Account
from fanoutcloud.edge.hub.channel import Joining
from fanoutcloud.edge.selection.selected import Wish
from fanoutcloud.edge.selection.wishes import TagSelection
from tests.edge.reads_worlds import ReadWorld, read_world
from tests.edge.worlds import HELLO, PATIENCE_S, REALM, EdgeWorld, RecordingSubscriber


@pytest.fixture
async def here(world: EdgeWorld) -> AsyncIterator[ReadWorld]:
    async with read_world(world) as here:
        yield here


async def outcomes(here: ReadWorld, kind: str = "channel", about: str = HELLO) -> list[dict[str, int]]:
    """Return the outcomes of each item over both edges, the oldest first."""
    parts = (await here.reads.accounts(REALM, kind, about)).parts
    counts: dict[int, dict[str, int]] = {}
    for told in (told for part in parts for told in part.items):
        known = counts.setdefault(told.item.offset, {})
        for name, count in told.counts.items():
            known[name] = known.get(name, 0) + count
    return [counts[offset] for offset in sorted(counts)]


async def account(here: ReadWorld, kind: str, about: str) -> Account:
    return (await here.reads.accounts(REALM, kind, about)).parts[0]


async def join_with(here: ReadWorld, wish: Wish | None = None, since: StreamPosition | None = None) -> Any:
    subscriber = RecordingSubscriber(realm=REALM)
    if wish is not None:
        subscriber.set_wish(HELLO, wish)
    here.hubs[0].register(subscriber)
    async with asyncio.timeout(PATIENCE_S):
        await here.hubs[0].join(subscriber, [(HELLO, since)])
    return subscriber


async def test_an_item_goes_to_those_who_are_there_and_not_to_those_who_come_later(here: ReadWorld) -> None:
    await here.join(0, HELLO)
    await here.join(1, HELLO)
    await here.world.publish(1)
    await here.join(0, HELLO)

    assert await outcomes(here) == [{"sent": 2, "subscribed_late": 1}]


async def test_whoever_left_is_told_of_with_how_it_ended(here: ReadWorld) -> None:
    before, slow, polite = [await here.join(0, HELLO) for _ in range(3)]
    await here.join(0, HELLO)
    before.on_lost()
    await here.world.publish(1)
    slow.close(CloseReason.SLOW)
    polite.on_lost()

    assert await outcomes(here) == [{"gone": 1, "slow": 1, "sent_then_closed": 1, "sent": 1}]


async def test_filters_formats_and_bytes_that_wait_are_seen(here: ReadWorld) -> None:
    await join_with(here, Wish(TagSelection(parse_filter("priority >= 3", field="filter"))))
    waiting = await here.join(0, HELLO)
    waiting.sink.unsent = 9
    await here.world.publish_item(json_object=b"1", tags={"priority": 1})
    await here.world.publish_item(ws_message=WsMessage(b"x"), tags={"priority": 5})

    assert await outcomes(here) == [{"filtered": 1, "waiting": 1}, {"no_format": 2}]


async def test_whoever_comes_back_with_a_position_has_caught_up_or_had_it(here: ReadWorld) -> None:
    await here.join(0, HELLO)
    await here.world.publish(1)
    top = await here.world.top()
    await here.world.publish(2)
    await join_with(here, since=top)

    assert await outcomes(here) == [{"sent": 1, "had_it": 1}, {"sent": 1, "caught_up": 1}]


async def test_whoever_still_reads_history_is_on_its_way(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO)
    await here.world.publish(1)
    [local] = here.hubs[0].channels.values()
    local.remove(subscriber)
    local.joining[subscriber] = Joining(StreamPosition((await here.world.top()).epoch, 0))

    assert await outcomes(here) == [{"on_its_way": 1}]


async def test_of_a_user_or_a_connection_only_their_own_outcomes_are_told(here: ReadWorld) -> None:
    alice = await here.join(0, HELLO, user="alice")
    await here.join(0, HELLO, user="bob")
    await here.world.publish(1)

    assert await outcomes(here, "user", "alice") == [{"sent": 1}]
    assert await outcomes(here, "connection", alice.connection) == [{"sent": 1}]
    assert await outcomes(here, "message", str(await here.world.top())) == [{"sent": 2}]
    assert [moment.kind for moment in (await account(here, "user", "alice")).moments] == ["opened", "joined"]


async def test_names_that_are_like_the_one_asked_for_are_told(here: ReadWorld) -> None:
    await here.join(0, "News")

    [near] = (await account(here, "channel", "news")).near
    assert (near.channel, near.subscribers, near.how) == ("News", 1, "capitals")


async def test_another_realm_is_not_told_of(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO, realm="ffffffff", user="alice")  # type: ignore[arg-type]

    for kind, about in (("channel", HELLO), ("user", "alice"), ("connection", subscriber.connection)):
        told = await account(here, kind, about)
        assert (told.moments, told.items, told.by_transport) == ([], [], {})


async def test_a_token_refreshed_under_way_keeps_the_outcome(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO)
    await here.world.publish(1)
    here.hubs[0].set_grant(subscriber, Grant(user="late"))

    assert await outcomes(here, "user", "late") == [{"sent": 1}]
