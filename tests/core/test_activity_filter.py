"""Which events a watcher wants."""

import msgspec
import pytest

from fanoutcloud.core.activity import Connected, Delivered, Event, PresenceChanged, Published, Refused, Sampled
from fanoutcloud.core.activity_filter import ActivityFilter, parse_filter
from fanoutcloud.core.errors import InvalidRequest

CONNECTED = Connected(
    at=1.0, connection="9f3a", transport="sse", channels=["news", "door"], address="192.0.2.1", user="42"
)
PUBLISHED = Published(
    at=1.0, channel="news/sport", position="e:1", id="goal-7", size_bytes=4, formats=["json-object"],
    preview='{"text":"Tor!"}', via="rest", key="…abcd", outcome="stored",
)  # fmt: skip
DELIVERED = Delivered(at=1.0, channel="news", position="e:1", subscribers=1, by_transport={"sse": 1})
PRESENCE = PresenceChanged(
    at=1.0, channel="door", joined=["43"], left=["42"], members=1, connections=1, occupancy=""
)  # fmt: skip
REFUSED = Refused(at=1.0, status=401, code="wrong_key", message="no", cure="yes", field=None, address="192.0.2.9")


def shown(wanted: ActivityFilter) -> list[Event]:
    events = [CONNECTED, PUBLISHED, DELIVERED, PRESENCE, REFUSED]
    return [event for event in events if wanted.matches(msgspec.json.encode(event))]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ActivityFilter(), [CONNECTED, PUBLISHED, DELIVERED, PRESENCE, REFUSED]),
        (ActivityFilter(channel="news"), [CONNECTED, PUBLISHED, DELIVERED]),
        (ActivityFilter(channel="News"), []),
        (ActivityFilter(user="42"), [CONNECTED, PRESENCE]),
        (ActivityFilter(transport="sse"), [CONNECTED, DELIVERED]),
        (ActivityFilter(text="TOR!"), [PUBLISHED]),
        (ActivityFilter(text="192.0.2.9"), [REFUSED]),
        (ActivityFilter(channel="news", user="42"), [CONNECTED]),
    ],
)
def test_each_member_of_a_filter_must_hold(wanted: ActivityFilter, expected: list[Event]) -> None:
    assert shown(wanted) == expected


def test_what_was_left_out_is_always_told() -> None:
    assert ActivityFilter(channel="news").matches(msgspec.json.encode(Sampled(at=1.0, dropped=3)))


def test_a_filter_comes_as_json() -> None:
    assert parse_filter('{"channel":"news","kinds":[]}') == ActivityFilter(channel="news")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"channel":1}', '{"text":"' + "x" * 600 + '"}', "[" * 5000])
def test_other_texts_are_no_filter(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_filter(text)
