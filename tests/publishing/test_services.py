"""Publishing as a service: what is stored, and what the owner sees of it while watching."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fanoutcloud.broker.base import Broker, Outcome
from fanoutcloud.broker.memory import MemoryBroker
from fanoutcloud.broker.pattern_board import PatternBoard
from fanoutcloud.core.activity import Published, Refused
from fanoutcloud.core.directory import Rate, Retention
from fanoutcloud.core.errors import RateLimited
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.core.streams import PositionLost
from publishing.rate_limits import PublishLimiter
from publishing.services import Publisher
from tests.fakes.activity import RecordingActivity
from tests.fakes.clock import SteppedClock
from tests.fakes.gated_broker import GatedBroker
from tests.publishing.asgi import Endpoint
from tests.publishing.credentials import (
    ALICE,
    ALICE_KEY,
    key_text,
    realm_of,
)

HELLO = {"channel": "hello", "json-object": {"text": "hi"}}


async def the_event(endpoint: Endpoint) -> Published | Refused:
    [(realm, event)] = endpoint.activity.events
    assert realm == ALICE
    assert isinstance(event, Published | Refused)
    return event


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(watched=[ALICE])


async def test_a_publish_is_shown_with_what_it_was(endpoint: Endpoint):
    await endpoint.publish({**HELLO, "id": 18})

    event = await the_event(endpoint)

    assert isinstance(event, Published)
    assert (event.at, event.via, event.outcome) == (endpoint.clock.now(), "rest", "stored")
    assert (event.channel, event.id, event.formats) == ("hello", "18", ["json-object"])
    assert (event.preview, event.size_bytes) == ('{"text": "hi"}', 14)
    assert event.position is not None
    assert event.position.endswith(":1")
    assert event.key == "…" + key_text(ALICE_KEY)[-4:]  # as its owner sees it in the list of keys


async def test_a_duplicate_is_shown_as_one(endpoint: Endpoint):
    for _ in range(2):
        await endpoint.publish({**HELLO, "id": "18"})

    outcomes = [event.outcome for _, event in endpoint.activity.events if isinstance(event, Published)]

    assert outcomes == ["stored", "duplicate"]


async def test_an_item_that_waits_is_shown_without_a_position(endpoint: Endpoint):
    await endpoint.publish({**HELLO, "id": "1"}, {**HELLO, "id": "3", "prev-id": "2"})

    _, (_, waiting) = endpoint.activity.events

    assert isinstance(waiting, Published)
    assert (waiting.outcome, waiting.position) == ("waiting", None)
    await endpoint.broker.close()


async def test_the_key_of_a_publish_is_shown_by_its_last_characters_only(endpoint: Endpoint):
    await endpoint.publish(HELLO)

    assert key_text(ALICE_KEY)[:30] not in repr(await the_event(endpoint))


async def test_whom_it_publishes_for_and_how_is_up_to_the_caller(endpoint: Endpoint):
    snapshot = realm_of(ALICE, ALICE_KEY)
    items = parse_publish(b'{"items":[{"channel":"hello","json-object":1},{"channel":"hello","json-object":2}]}')

    results = await endpoint.publisher.publish_items(snapshot, items, via="page")

    assert [result.outcome for result in results] == [Outcome.STORED, Outcome.STORED]
    assert await endpoint.stored() == [b"1", b"2"]
    assert [(event.via, event.key) for _, event in endpoint.activity.events if isinstance(event, Published)] == [
        ("page", None)
    ] * 2


@pytest.mark.parametrize(
    ("via", "transport"), [("rest", ""), ("client", ""), ("xmpp", "xmpp"), ("xmpp-client", "xmpp")]
)
async def test_who_watches_xmpp_sees_what_is_published_there(endpoint: Endpoint, via: str, transport: str):
    await endpoint.publisher.publish_items(realm_of(ALICE, ALICE_KEY), [Item(ChannelName("hello"))], via=via)

    [event] = [event for _, event in endpoint.activity.events if isinstance(event, Published)]
    assert event.transport == transport


async def test_what_is_refused_by_rate_reaches_no_broker(endpoint: Endpoint):
    snapshot = realm_of(ALICE, ALICE_KEY, rate=Rate(per_s=1, burst=1))
    items = parse_publish(b'{"items":[{"channel":"hello","json-object":1}]}')
    await endpoint.publisher.publish_items(snapshot, items, via="page")

    with pytest.raises(RateLimited):
        await endpoint.publisher.publish_items(snapshot, items, via="page")

    assert await endpoint.stored() == [b"1"]


async def test_items_are_kept_by_the_rules_of_their_channels_in_the_order_in_which_they_came() -> None:
    clock = SteppedClock()
    broker = MemoryBroker(clock)
    publisher = Publisher(broker=broker, activity=RecordingActivity(), limiter=PublishLimiter(clock), clock=clock)
    rule = ChannelRule(pattern=parse_pattern("long.*"), retention=Retention(items=5, age_s=60))
    realm = replace(realm_of(ALICE, ALICE_KEY), rules=make_rules([rule]), retention=Retention(items=1, age_s=60))
    names = ["long.1", "short", "long.1", "short", "long.1"]
    items = [Item(ChannelName(name), json_object=str(number).encode()) for number, name in enumerate(names)]
    begins = {name: (await broker.positions([(realm.realm, ChannelName(name))]))[0] for name in names}

    results = await publisher.publish_items(realm, items, via="rest")

    assert [result.position and result.position.offset for result in results] == [1, 1, 2, 2, 3]
    kept = await broker.read_since(realm.realm, ChannelName("long.1"), begins["long.1"], limit=10)
    assert [stored.item.json_object for stored in kept] == [b"0", b"2", b"4"]
    with pytest.raises(PositionLost):
        await broker.read_since(realm.realm, ChannelName("short"), begins["short"], limit=10)


class _CountingBoard(PatternBoard):
    """Counts what publishing asks of it."""

    def __init__(self, broker: Broker, clock: SteppedClock) -> None:
        super().__init__(broker, clock)
        self.calls: list[str] = []
        self.is_in_use = False

    def is_followed(self, realm: RealmId) -> bool:
        self.calls.append("look")
        return self.is_in_use

    async def tell_coming(self, realm: RealmId, items: Sequence[Item]) -> None:
        positions = await self._broker.positions([(realm, item.channel) for item in items])
        self.calls.append(f"tell {positions[0].offset}")


async def test_who_follows_patterns_is_told_before_anything_is_stored_and_else_it_costs_one_look() -> None:
    clock = SteppedClock()
    broker = GatedBroker(clock)
    board = _CountingBoard(broker, clock)
    publisher = Publisher(
        broker=broker, activity=RecordingActivity(), limiter=PublishLimiter(clock), clock=clock, board=board
    )
    realm, item = realm_of(ALICE, ALICE_KEY), Item(ChannelName("orders.1"), json_object=b"1")

    await publisher.publish_items(realm, [item] * 3, via="rest")
    assert (board.calls, broker.calls) == (["look"], {})

    board.is_in_use = True
    await publisher.publish_items(realm, [item], via="rest")
    assert board.calls == ["look", "look", "tell 3"]
