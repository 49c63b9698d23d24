"""Where a held connection stands, and what it gets of an item."""

import pytest

from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition
from fanoutcloud.grip.instructions import Answer, HoldChannel, Instruction
from fanoutcloud.grip.subscriptions import Subscriptions, following

A, B = ChannelName("a"), ChannelName("b")


def subscribed(*channels: HoldChannel, **meta: str) -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.adopt(Instruction(Answer(200, "OK", (), b""), "stream", channels, meta=meta))
    return subscriptions


def items(*ids: tuple[str | None, str | None]) -> list[StoredItem]:
    return [
        StoredItem(StreamPosition("abcdefgh", at), Item(A, id=id_, prev_id=prev)) for at, (id_, prev) in enumerate(ids)
    ]


@pytest.mark.parametrize(
    ("prev_id", "item_prev", "is_missed"), [("3", "3", False), ("3", "2", True), ("3", None, True), (None, "2", False)]
)
def test_a_position_shows_what_was_missed(prev_id: str | None, item_prev: str | None, is_missed: bool):
    assert subscribed(HoldChannel(A, prev_id)).is_missed(Item(A, id="4", prev_id=item_prev)) is is_missed


def test_a_position_moves_on_where_there_is_one():
    subscriptions = subscribed(HoldChannel(A, "3"), HoldChannel(B))

    subscriptions.advance(Item(A, id="4"))
    subscriptions.advance(Item(B, id="9"))

    assert subscriptions.last_ids() == {"a": "4"}


def test_content_is_for_those_with_the_filters_that_the_publisher_counts_on():
    subscriptions = subscribed(HoldChannel(A, None, ("skip-self", "var-subst")), user="x")
    item = Item(A)

    assert subscriptions.content_of(item, b"%(user)s", None) == b"x"
    assert subscriptions.content_of(item, b"%(user)s", ("var-subst",)) == b"x"
    assert subscriptions.content_of(item, b"%(user)s", ()) is None
    assert subscriptions.content_of(item, b"%(user)s", ("var-subst", "build-id")) is None
    assert subscriptions.content_of(Item(B), b"x", None) is None


@pytest.mark.parametrize(
    ("ids", "prev_id", "left"),
    [
        ([("4", "3"), ("5", "4")], "3", ["4", "5"]),
        ([("4", "3"), ("5", "4")], "4", ["5"]),
        ([("4", "3"), ("5", "4")], "5", []),
        ([("2", "1"), ("4", "3")], "3", ["4"]),
        ([("7", "6")], "3", None),
        ([], "3", None),
    ],
)
def test_what_follows(ids: list[tuple[str, str]], prev_id: str, left: list[str] | None):
    rest = following(items(*ids), prev_id)

    assert (None if rest is None else [stored.item.id for stored in rest]) == left


@pytest.mark.parametrize(("sender", "is_through"), [("alice", False), ("bob", True)])
def test_delivery_filters_judge_items_without_content_too(sender: str, is_through: bool):
    subscriptions = subscribed(HoldChannel(A, filters=("skip-self", "var-subst")), user="alice")

    assert subscriptions.lets_through(Item(A, meta={"sender": sender})) is is_through
    assert not subscriptions.lets_through(Item(B))
