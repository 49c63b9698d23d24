"""Which items become events, and that a repeated publish is the same event."""

import msgspec

from fanoutcloud.broker.base import Outcome, PublishResult
from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.webhooks import WebhookInterest
from publishing.webhooks.triggers import events_of_items

WANTS = WebhookInterest((("channel.message", (parse_pattern("door"),)),))
REALM = RealmSnapshot(RealmId("4f7f6f9f"), (), Retention(items=1, age_s=1), webhooks=WANTS)
ITEM = Item(ChannelName("door"), id="a", json_object=b"1")
STORED = PublishResult(Outcome.STORED, StreamPosition("abc", 7))


def keys(item: Item, result: PublishResult, at: float = 1.0) -> list[str]:
    return [event.key for event in events_of_items(REALM, [item], [result], at=at, is_clients=False)]


def test_only_items_that_are_wanted_become_events():
    other = msgspec.structs.replace(ITEM, channel=ChannelName("hall"))

    found = events_of_items(REALM, [other, ITEM], [STORED, STORED], at=1.0, is_clients=True)

    assert [(event.item, event.position, event.is_clients) for event in found] == [(ITEM, "abc:7", True)]


def test_a_repeated_publish_is_the_same_event():
    again = PublishResult(Outcome.DUPLICATE, STORED.position)

    assert keys(ITEM, STORED) == keys(ITEM, again, at=50.0)


def test_an_item_that_waits_for_its_predecessor_is_the_same_event_whenever_it_is_repeated():
    item = msgspec.structs.replace(ITEM, prev_id="before")
    results = [
        PublishResult(Outcome.WAITING, None),
        PublishResult(Outcome.DUPLICATE, None),
        PublishResult(Outcome.DUPLICATE, STORED.position),
        STORED,
    ]

    assert len({key for result in results for key in keys(item, result)}) == 1


def test_two_items_are_two_events():
    nameless = msgspec.structs.replace(ITEM, id=None, prev_id="x")
    waiting = PublishResult(Outcome.WAITING, None)

    assert keys(ITEM, STORED) != keys(ITEM, PublishResult(Outcome.STORED, StreamPosition("abc", 8)))
    assert keys(nameless, waiting) != keys(nameless, waiting)
