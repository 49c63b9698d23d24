"""Which items become events, and by what they are known."""

import msgspec

from fanoutcloud.core.directory import RealmSnapshot, Retention
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.webhooks import WebhookInterest, with_item
from publishing.webhooks.triggers import event_of_history, events_of_items

WANTS = WebhookInterest((("channel.message", (parse_pattern("door"),)),))
REALM = RealmSnapshot(RealmId("4f7f6f9f"), (), Retention(items=1, age_s=1), webhooks=WANTS)
ITEM = Item(ChannelName("door"), id="a", json_object=b"1")


def test_only_items_that_are_wanted_become_events():
    other = msgspec.structs.replace(ITEM, channel=ChannelName("hall"))

    unwanted, wanted = events_of_items(REALM, [other, ITEM], at=1.0, is_clients=True)

    assert unwanted is None
    assert wanted is not None
    assert (wanted.realm, wanted.channel, wanted.at, wanted.is_clients) == (REALM.realm, "door", 1.0, True)


def test_the_event_of_an_item_and_the_one_made_of_its_history_are_the_same():
    [event] = events_of_items(REALM, [ITEM], at=1.0, is_clients=False)
    kept = KeptItem(StreamPosition("abc", 7), ITEM, 2.0)

    assert event is not None
    assert with_item(event, ITEM, "abc:7").key == event_of_history(REALM.realm, kept).key
    assert event_of_history(REALM.realm, kept, replay="r").key == event_of_history(REALM.realm, kept).key + ":r"
