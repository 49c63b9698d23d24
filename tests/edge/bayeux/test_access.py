"""Tokens and rules on Bayeux: what a client may subscribe to, and what ends."""

from collections.abc import Sequence

import pytest

from fanoutcloud.broker.base import Outcome, PublishResult
from fanoutcloud.core.access import ANONYMOUS
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.items import Item
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access.enforcement import Enforcement
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.bayeux.sessions import Sessions
from tests.core.signed import NOW, claims, sign, snapshot
from tests.edge.bayeux.clients import Client, numbers
from tests.edge.worlds import REALM, EdgeWorld
from tests.fakes.directory import FakeDirectory

TOKEN = sign(claims(sub="alice", channels={"staff": ["subscribe"]}))
OTHERS = sign(claims(sub="bob", channels={"staff": ["subscribe"]}))
EXPIRED = sign({"exp": NOW - 3600})


class RecordingPublisher:
    """Keeps what it is given to publish."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    async def publish_items(
        self, realm: RealmSnapshot, items: Sequence[Item], *, via: str, key_hint: str | None = None
    ) -> list[PublishResult]:
        self.items += items
        return [PublishResult(Outcome.STORED, None) for _ in items]


@pytest.fixture
def directory(world: EdgeWorld) -> FakeDirectory:
    """The realm has one channel that wants a token."""
    world.clock.time_s = NOW
    staff = ChannelRule(pattern=parse_pattern("staff"), access="token")
    chat = ChannelRule(pattern=parse_pattern("chat"), client_publish=True)
    rules = make_rules([staff, chat])
    directory = FakeDirectory(snapshot(rules=rules))
    world.hub.gate = AccessGate(world.clock, directory)
    return directory


@pytest.fixture
async def client(world: EdgeWorld, directory: FakeDirectory) -> Client:
    client = Client(world.hub, Sessions(world.hub))
    await client.begin()
    return client


async def subscribe(client: Client, **members: object) -> dict[str, object]:
    [reply] = await client.say(channel="/meta/subscribe", subscription="/staff", **members)
    return reply


async def test_a_channel_that_wants_a_token_is_forbidden_without(client: Client) -> None:
    reply = await subscribe(client)

    assert (reply["successful"], reply["error"]) == (False, "403:/staff:Forbidden channel")
    assert "needs a token" in str(reply["ext"])


async def test_a_token_in_ext_opens_it(world: EdgeWorld, client: Client) -> None:
    assert (await subscribe(client, ext={"auth_token": TOKEN}))["successful"]

    await world.publish(1, channel="staff")
    assert numbers(await client.connect()) == [1]


async def test_the_token_of_a_connect_counts_for_what_follows(client: Client) -> None:
    await client.say(channel="/meta/connect", connectionType="long-polling", ext={"auth_token": TOKEN})

    assert (await subscribe(client))["successful"]


async def publish(client: Client, channel: str, **members: object) -> dict[str, object]:
    [reply] = await client.say(channel=f"/{channel}", data={"n": 1}, **members)
    return reply


async def test_publishing_is_refused_unless_a_rule_or_the_token_allows_it(world: EdgeWorld, client: Client) -> None:
    world.hub.publisher = publisher = RecordingPublisher()

    refused = await publish(client, "hello")
    by_rule = await publish(client, "chat")
    token = sign(claims(sub="alice", channels={"staff": ["publish"]}))
    by_token = await publish(client, "staff", ext={"auth_token": token})

    assert (refused["error"], by_rule["successful"], by_token["successful"]) == (
        "403:/hello:Forbidden channel",
        True,
        True,
    )
    assert "data" not in by_rule
    assert [(item.channel, item.json_object, item.user) for item in publisher.items] == [
        ("chat", b'{"n":1}', None),
        ("staff", b'{"n":1}', "alice"),
    ]


@pytest.mark.parametrize("token", ["nonsense", EXPIRED])
async def test_a_bad_token_is_told_why(client: Client, token: str) -> None:
    reply = await subscribe(client, ext={"auth_token": token})

    assert str(reply["error"]).startswith("403:")
    assert "token" in str(reply["ext"])


async def test_a_session_stays_with_its_user(client: Client) -> None:
    await subscribe(client, ext={"auth_token": TOKEN})

    assert not (await subscribe(client, ext={"auth_token": OTHERS}))["successful"]


async def test_a_token_that_runs_out_ends_the_session(world: EdgeWorld, client: Client) -> None:
    await subscribe(client, ext={"auth_token": TOKEN})
    [session] = world.hub.subscribers
    assert session.grant is not ANONYMOUS
    world.clock.pass_time(7200)
    await Enforcement(world.hub).expire()

    [reply] = await client.connect()
    assert reply["advice"] == {"reconnect": "handshake", "interval": 0}


async def test_a_channel_that_is_closed_by_a_rule_is_lost(
    world: EdgeWorld, client: Client, directory: FakeDirectory
) -> None:
    rules = make_rules([ChannelRule(pattern=parse_pattern("hello"), access="token")])
    directory.replace(snapshot(rules=rules))
    [session] = world.hub.subscribers
    assert session.realm == REALM
    await Enforcement(world.hub).review()
    await world.publish(1)

    replies = await client.connect()
    assert numbers(replies) == []
    assert replies[0]["ext"] == {"lost": ["/hello"]}
