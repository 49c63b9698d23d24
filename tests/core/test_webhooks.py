"""Who wants what, and events on their way."""

import pytest

from fanoutcloud.core.items import HttpRequest, Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import NO_RULES, ChannelRule, ChannelRules
from fanoutcloud.core.webhooks import (
    NO_WEBHOOKS,
    REQUESTS_ONLY,
    HookEvent,
    WebhookInterest,
    item_key,
    pack_event,
    unpack_event,
    with_item,
)

DOOR, ORDER = ChannelName("door"), ChannelName("orders.7")


def interest(*wanted: tuple[str, str]) -> WebhookInterest:
    return WebhookInterest(tuple((kind, (parse_pattern(text),)) for kind, text in wanted))


def test_a_realm_without_endpoints_wants_nothing():
    assert not NO_WEBHOOKS
    assert not NO_WEBHOOKS.wants_item(Item(DOOR, json_object=b"1"), NO_RULES, is_clients=True)


def test_items_are_wanted_by_exact_name_and_by_prefix():
    wants = interest(("channel.message", "door"), ("channel.message", "orders.*"))

    assert [
        wants.wants_item(Item(ChannelName(name), json_object=b"1"), NO_RULES, is_clients=False)
        for name in ("door", "orders.7", "doors", "orders")
    ] == [True, True, False, False]


def test_what_clients_publish_can_be_wanted_alone():
    wants = interest(("client.message", "*"))
    item = Item(DOOR, json_object=b"1")

    assert wants.wants_item(item, NO_RULES, is_clients=True)
    assert not wants.wants_item(item, NO_RULES, is_clients=False)


@pytest.mark.parametrize(
    ("kind", "item", "is_wanted"),
    [
        (REQUESTS_ONLY, Item(DOOR, http_request=HttpRequest()), True),
        (REQUESTS_ONLY, Item(DOOR, json_object=b"1"), False),
        ("channel.message", Item(DOOR, json_object=b"1"), True),
        ("channel.message", Item(DOOR, http_request=HttpRequest()), True),
        ("channel.message", Item(DOOR), False),  # nothing that could be sent
    ],
)
def test_an_item_is_wanted_in_a_format_that_can_be_sent(kind: str, item: Item, is_wanted: bool):
    assert interest((kind, "*")).wants_item(item, NO_RULES, is_clients=False) is is_wanted


def test_a_rule_adds_its_events_for_endpoints_that_cover_the_channel():
    rules = ChannelRules((ChannelRule(parse_pattern("orders.*"), webhook_events=("occupied",)),))
    wants = interest(("channel.message", "orders.*"))

    assert wants.covers("channel.occupied", ORDER, rules)
    assert not wants.covers("channel.vacated", ORDER, rules)
    assert not interest(("channel.message", "door")).covers("channel.occupied", ORDER, rules)
    assert not interest((REQUESTS_ONLY, "*")).covers("channel.occupied", ORDER, rules)


def test_an_event_comes_out_of_its_bytes_as_it_went_in():
    event = HookEvent(RealmId("4f7f6f9f"), "channel.message", "k", 3.5, "door", "abc:7", Item(DOOR, json_object=b"1"))

    assert unpack_event(pack_event(event)) == event


def test_the_event_of_an_item_is_known_by_its_position_once_it_has_one():
    item = Item(DOOR, id="a")
    event = HookEvent(RealmId("4f7f6f9f"), "channel.message", item_key(item, "", 1.0), 1.0, DOOR)

    placed = with_item(event, item, "abc:7")

    assert (placed.key, placed.position, placed.item) == ("item:door:abc:7", "abc:7", item)
    assert with_item(event, item, "").key == event.key


def test_an_item_that_may_wait_for_its_predecessor_is_the_same_event_whenever_it_is_repeated():
    item = Item(DOOR, id="b", prev_id="a")

    assert len({item_key(item, "", 1.0), item_key(item, "abc:7", 1.0), item_key(item, "abc:7", 50.0)}) == 1
    assert item_key(item, "", 1.0) != item_key(Item(DOOR, id="c", prev_id="a"), "", 1.0)


def test_two_items_are_two_events():
    nameless = Item(DOOR, prev_id="a")

    assert item_key(nameless, "", 1.0) != item_key(nameless, "", 1.0)
    assert item_key(nameless, "abc:7", 1.0) != item_key(nameless, "abc:8", 1.0)
