"""Reads and actions over several edges: whole, in order, page by page, of one realm, and honest."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fanoutcloud.core.access import Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.presence import ChannelReport, UserReport
from fanoutcloud.core.reads import MAX_PAGE, Whose
from fanoutcloud.core.streams import EPOCH_CHANGED, HISTORY_EXPIRED, StreamPosition
from fanoutcloud.edge.hub.channel import Joining
from tests.edge.reads_worlds import ReadWorld, read_world
from tests.edge.worlds import HELLO, REALM, EdgeWorld, until

OTHER = RealmId("ffffffff")


@pytest.fixture
async def here(world: EdgeWorld) -> AsyncIterator[ReadWorld]:
    async with read_world(world) as here:
        yield here


async def test_a_channel_is_counted_over_all_edges(here: ReadWorld) -> None:
    for edge in (0, 0, 1):
        await here.join(edge, HELLO)
    await here.join(1, HELLO, realm=OTHER)
    await here.world.publish(1, 2)

    info = await here.reads.channel_info(REALM, HELLO)

    assert (info.subscribers, info.by_transport, info.missing) == (3, {"http-stream": 3}, ())
    assert info.position == await here.world.top()
    assert info.last_item is not None
    assert (info.last_item.item.json_object, info.last_item.position) == (b"2", info.position)


async def test_a_channel_that_nobody_knows_has_no_position(here: ReadWorld) -> None:
    info = await here.reads.channel_info(REALM, HELLO)

    assert (info.subscribers, info.position, info.last_item) == (0, None, None)


async def test_channels_come_in_order_page_by_page_each_once(here: ReadWorld) -> None:
    for edge, names in ((0, "adf"), (1, "abce")):
        for name in names:
            await here.join(edge, f"c.{name}")
    await here.join(0, "x")
    await here.join(0, "c.z", realm=OTHER)

    pages, cursor = [], None
    while True:
        page = await here.reads.channels(REALM, prefix="c.", cursor=cursor, limit=2)
        pages.append([(count.channel, count.subscribers) for count in page.channels])
        if (cursor := page.cursor) is None:
            break

    assert pages == [[("c.a", 2), ("c.b", 1)], [("c.c", 1), ("c.d", 1)], [("c.e", 1), ("c.f", 1)]]


async def test_channels_that_linger_without_subscribers_are_not_listed(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO)
    subscriber.on_lost()

    assert (await here.reads.channels(REALM)).channels == []


async def test_connections_of_a_realm_come_page_by_page_each_once(here: ReadWorld) -> None:
    names = sorted([(await here.join(number % 2, HELLO)).connection for number in range(7)])
    await here.join(0, HELLO, realm=OTHER)

    first = await here.reads.connections(REALM, limit=4)
    second = await here.reads.connections(REALM, limit=4, cursor=first.cursor)

    assert [one.connection for one in first.connections + second.connections] == names
    assert (len(first.connections), second.cursor) == (4, None)


async def test_a_connection_is_described(here: ReadWorld) -> None:
    subscriber = await here.join(1, HELLO, "other", user="alice", info=b'{"nick":"A"}')
    subscriber.sink.unsent = 77
    await here.world.publish(1)

    found = (await here.reads.connection(REALM, subscriber.connection)).connection

    assert found is not None
    assert (found.transport, found.user, found.info, found.address) == (
        "http-stream",
        "alice",
        b'{"nick":"A"}',
        "192.0.2.1",
    )
    assert (found.unsent_bytes, found.connected_at) == (77, here.world.clock.now())
    assert found.edge == here.calls[1].edge
    assert [(place.channel, place.position) for place in found.channels] == [
        (HELLO, str(await here.world.top())),
        ("other", str(await here.world.top("other"))),
    ]


async def test_connections_of_a_user_or_a_channel(here: ReadWorld) -> None:
    alice = [await here.join(edge, HELLO, user="alice") for edge in (0, 1)]
    bob = await here.join(0, HELLO, "other", user="bob")
    await here.join(0, HELLO, user="alice", realm=OTHER)

    async def names(**whose: str) -> set[str]:
        return {one.connection for one in (await here.reads.connections(REALM, **whose)).connections}  # type: ignore[arg-type]

    assert await names(user="alice") == {one.connection for one in alice}
    assert await names(channel=HELLO) == {one.connection for one in [*alice, bob]}
    assert await names(channel="other", user="alice") == set()
    assert await names(channel="other", user="bob") == {bob.connection}
    assert await names(user="") == set()


async def test_connections_of_a_transport_or_those_that_are_behind(here: ReadWorld) -> None:
    alice, bob = await here.join(0, HELLO, user="alice"), await here.join(1, HELLO, user="bob")
    bob.sink.unsent = 5

    async def names(**which: Any) -> set[str]:
        return {one.connection for one in (await here.reads.connections(REALM, **which)).connections}

    assert await names(transport="http-stream") == {alice.connection, bob.connection}
    assert await names(transport="sse") == set()
    assert await names(behind_only=True) == {bob.connection}
    assert await names(behind_only=True, user="alice") == set()


async def test_whoever_reads_history_is_behind_by_so_many_items(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO)
    await here.world.publish(3)
    [local] = here.world.hub.channels.values()
    local.remove(subscriber)
    top = await here.world.top()
    local.joining[subscriber] = Joining(StreamPosition(top.epoch, top.offset - 2))

    found = (await here.reads.connection(REALM, subscriber.connection)).connection

    assert found is not None
    assert [place.behind for place in found.channels] == [2]
    assert found.is_behind


@pytest.mark.parametrize("name", ["", "x", "0", "zzzzzzzz00000001", "../../etc", "0" * 40])
async def test_what_is_no_connection_is_not_found(here: ReadWorld, name: str) -> None:
    assert (await here.reads.connection(REALM, name)).connection is None


async def test_another_realms_connection_is_neither_found_nor_ended(here: ReadWorld) -> None:
    theirs = await here.join(0, HELLO, user="u", realm=OTHER)

    assert (await here.reads.connection(REALM, theirs.connection)).connection is None
    for whose in (Whose(connection=theirs.connection), Whose(user="u"), Whose(channel=HELLO)):
        assert (await here.reads.disconnect(REALM, whose)).connections == 0
    assert not theirs.is_closed


@pytest.mark.parametrize(("may_reconnect", "reason"), [(False, CloseReason.EXPELLED), (True, CloseReason.DISCONNECTED)])
async def test_a_user_is_disconnected_everywhere_and_told_why(
    here: ReadWorld, may_reconnect: bool, reason: CloseReason
) -> None:
    alice = [await here.join(edge, HELLO, user="alice") for edge in (0, 1)]
    bob = await here.join(0, HELLO, user="bob")

    done = await here.reads.disconnect(REALM, Whose(user="alice"), reason="logged out", may_reconnect=may_reconnect)
    await until(lambda: all(one.is_closed for one in alice))

    assert (done.connections, done.missing) == (2, ())
    assert [one.sink.closed for one in alice] == [(reason.code, "logged out")] * 2
    assert alice[0].messages[-1]["message"] == "logged out"
    assert alice[0].messages[-1]["reconnect"] is may_reconnect
    assert not bob.is_closed


async def test_a_channel_or_one_connection_is_disconnected(here: ReadWorld) -> None:
    one, two, three = [await here.join(edge, channel) for edge, channel in ((0, HELLO), (1, HELLO), (1, "other"))]

    assert (await here.reads.disconnect(REALM, Whose(connection=three.connection))).connections == 1
    assert (await here.reads.disconnect(REALM, Whose(channel=HELLO))).connections == 2
    await until(lambda: one.is_closed and two.is_closed and three.is_closed)
    assert (await here.reads.connections(REALM)).connections == []


@pytest.mark.parametrize("whose", [Whose(), Whose(user=""), Whose(user="a", channel=HELLO), Whose(connection="")])
async def test_ending_everybody_by_mistake_is_refused(here: ReadWorld, whose: Whose) -> None:
    with pytest.raises(InvalidRequest):
        await here.reads.disconnect(REALM, whose)


@pytest.mark.parametrize("reason", ["x" * 124, "two\nlines"])
async def test_a_reason_that_no_close_frame_holds_is_refused(here: ReadWorld, reason: str) -> None:
    with pytest.raises(InvalidRequest, match="reason"):
        await here.reads.disconnect(REALM, Whose(user="a"), reason=reason)


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
async def test_limits_are_bounded(here: ReadWorld, limit: int) -> None:
    for work in (here.reads.channels, here.reads.connections):
        with pytest.raises(InvalidRequest, match="limit"):
            await work(REALM, limit=limit)
    with pytest.raises(InvalidRequest, match="limit"):
        await here.reads.history(REALM, HELLO, limit=limit)


async def test_a_cursor_that_is_none_is_refused(here: ReadWorld) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        await here.reads.connections(REALM, cursor="zz")


async def test_history_is_read_in_both_directions(here: ReadWorld) -> None:
    await here.world.publish(*range(1, 8))
    epoch = (await here.world.top()).epoch

    async def numbers(**window: object) -> tuple[list[int], bool]:
        page = await here.reads.history(REALM, HELLO, limit=3, **window)  # type: ignore[arg-type]
        return [int(one.item.json_object or b"") for one in page.items], page.has_more

    assert await numbers() == ([7, 6, 5], True)
    assert await numbers(before=StreamPosition(epoch, 5)) == ([4, 3, 2], True)
    assert await numbers(before=StreamPosition(epoch, 2)) == ([1], False)
    assert await numbers(after=StreamPosition(epoch, 0)) == ([1, 2, 3], True)
    assert await numbers(after=StreamPosition(epoch, 4)) == ([5, 6, 7], False)
    assert await numbers(after=StreamPosition(epoch, 7)) == ([], False)


async def test_history_says_what_was_lost(here: ReadWorld) -> None:
    await here.world.publish(*range(5010))  # 5000 are kept
    epoch = (await here.world.top()).epoch

    expired = await here.reads.history(REALM, HELLO, after=StreamPosition(epoch, 3), limit=1)
    other = await here.reads.history(REALM, HELLO, after=StreamPosition("abcdefgh", 3), limit=1)
    whole = await here.reads.history(REALM, HELLO, after=StreamPosition(epoch, 10), limit=1)

    assert (expired.lost, expired.items[0].position.offset) == (HISTORY_EXPIRED, 11)
    assert other.lost == EPOCH_CHANGED
    assert whole.lost is None


async def test_before_and_after_together_are_refused(here: ReadWorld) -> None:
    with pytest.raises(InvalidRequest, match="before"):
        await here.reads.history(REALM, HELLO, before=StreamPosition("a", 1), after=StreamPosition("a", 1))


async def test_presence_comes_page_by_page(here: ReadWorld) -> None:
    users = [UserReport(name, 1, b"1") for name in ("carol", "alice", "bob")]
    await here.presence_store.report(REALM, HELLO, "edge", ChannelReport(users, 5, 2))

    first = await here.reads.presence(REALM, HELLO, limit=2)
    second = await here.reads.presence(REALM, HELLO, limit=2, cursor=first.cursor)

    assert [one.user for one in first.members + second.members] == ["alice", "bob", "carol"]
    assert (first.count, first.anonymous, first.connections, second.cursor) == (3, 2, 5, None)
    assert (await here.reads.presence(OTHER, HELLO)).members == []


async def test_an_edge_that_does_not_answer_is_named(world: EdgeWorld) -> None:
    async with read_world(world, edges=3) as here:
        await here.join(0, HELLO)
        here.calls[2]._answer = _fail

        assert (await here.reads.channel_info(REALM, HELLO)).missing == (here.calls[2].edge,)
        assert (await here.reads.channels(REALM)).missing == (here.calls[2].edge,)
        page = await here.reads.connections(REALM)
        assert (len(page.connections), page.missing) == (1, (here.calls[2].edge,))


def _fail(question: bytes) -> bytes:
    raise RuntimeError("broken")


async def test_other_realms_cost_nothing(here: ReadWorld) -> None:
    """No answer looks at a subscriber of another realm, however many there are."""
    for number in range(50):
        await here.join(0, f"c{number}", user="u", realm=OTHER)
    await here.join(0, HELLO, user="u")
    index = here.hubs[0].index

    assert len(index.of_realm(REALM)) == len(index.of_user(REALM, "u")) == len(index.channels_of(REALM)) == 1
    for hub_set in (here.hubs[0].subscribers, here.hubs[0].channels):
        assert len(hub_set) == 51


async def test_who_gets_a_token_later_is_found_by_its_user(here: ReadWorld) -> None:
    subscriber = await here.join(0, HELLO)
    here.hubs[0].set_grant(subscriber, Grant(user="late"))

    assert [one.user for one in (await here.reads.connections(REALM, user="late")).connections] == ["late"]


async def test_indexes_are_empty_when_all_have_left(here: ReadWorld) -> None:
    subscribers = [await here.join(0, HELLO, user=f"u{number}") for number in range(3)]
    for subscriber in subscribers:
        subscriber.on_lost()
        subscriber.on_lost()
    [local] = here.hubs[0].channels.values()
    here.hubs[0].local_channels.forget(local)

    index = here.hubs[0].index
    assert not index._by_realm
    assert not index._by_user
    assert not index._channels
