"""The gate: what a token is remembered for, who is counted as failing, and what rules and grants allow together."""

import asyncio
from typing import Any

import pytest

from fanoutcloud.core.access import ANONYMOUS, CAPABILITIES, Capability, Grant, Permission
from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.directory import RealmKey, RealmSnapshot
from fanoutcloud.core.errors import FanoutError, LimitReached, NotFound
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access import gate as gate_module
from fanoutcloud.edge.access.gate import AccessGate, NotAllowed, NoToken, read_token
from fanoutcloud.edge.encoding.wire import PLAIN_JSON_LINES
from fanoutcloud.edge.hub.subscriber import Subscriber
from tests.core.signed import NOW, OTHER_SECRET, REALM, claims, public_keys, sign, snapshot
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

ORDERS = ChannelName("orders.7")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW)


@pytest.fixture
def gate(clock: SteppedClock) -> AccessGate:
    return AccessGate(clock)


def with_rule(**members: Any) -> RealmSnapshot:
    """Return a realm with one rule for `orders.*`."""
    return snapshot(rules=make_rules([ChannelRule(pattern=parse_pattern("orders.*"), **members)]))


def grant(*capabilities: Capability, pattern: str = "orders.*") -> Grant:
    return Grant(user="alice", permissions=(Permission(parse_pattern(pattern), frozenset(capabilities)),))


def may(gate: AccessGate, who: Grant, realm: RealmSnapshot, capability: Capability) -> bool:
    expected: type[FanoutError] = NoToken if who is ANONYMOUS else NotAllowed
    try:
        gate.check(who, realm, capability, ORDERS)
    except expected:
        return False
    return True


# -- rules and grants


def test_without_rules_everybody_reads_and_nobody_writes(gate: AccessGate) -> None:
    allowed = [capability for capability in CAPABILITIES if may(gate, ANONYMOUS, snapshot(), capability)]

    assert allowed == ["subscribe", "presence", "history"]
    assert may(gate, grant("publish"), snapshot(), "publish")


def test_a_channel_with_token_opens_to_what_the_token_says(gate: AccessGate) -> None:
    realm = with_rule(access="token")

    for capability in CAPABILITIES:
        assert not may(gate, ANONYMOUS, realm, capability)
        assert not may(gate, grant(), realm, capability)
        assert not may(gate, grant(*CAPABILITIES, pattern="orders.8"), realm, capability)
        assert [one for one in CAPABILITIES if may(gate, grant(capability), realm, one)] == [capability]


def test_where_clients_publish_whoever_may_subscribe_may(gate: AccessGate) -> None:
    assert may(gate, ANONYMOUS, with_rule(client_publish=True), "publish")
    assert not may(gate, ANONYMOUS, with_rule(client_publish=True, access="token"), "publish")
    assert may(gate, grant("subscribe"), with_rule(client_publish=True, access="token"), "publish")
    assert not may(gate, grant("history"), with_rule(client_publish=True, access="token"), "publish")


def test_refusals_name_channel_and_cure(gate: AccessGate) -> None:
    realm = with_rule(access="token")
    with pytest.raises(NoToken) as nobody:
        gate.check_all(ANONYMOUS, realm, "subscribe", [ChannelName("open"), ORDERS])
    with pytest.raises(NotAllowed) as somebody:
        gate.check(grant("history"), realm, "subscribe", ORDERS)

    assert (nobody.value.code, nobody.value.http_status) == ("no_token", 401)
    assert (somebody.value.code, somebody.value.http_status) == ("not_allowed", 403)
    for error in (nobody.value, somebody.value):
        assert ORDERS in error.message
        assert error.cure


# -- tokens


async def test_no_token_is_anonymous(gate: AccessGate) -> None:
    assert await gate.admit(snapshot(), None) is ANONYMOUS
    assert gate.describe(ANONYMOUS) == {}


async def test_a_token_is_verified_once(gate: AccessGate, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    realm, token, seen = snapshot(), sign(claims()), []
    verify = gate_module.verify_token

    def count(*args: Any, **options: Any) -> Grant:
        seen.append(args)
        return verify(*args, **options)

    monkeypatch.setattr(gate_module, "verify_token", count)

    first = await gate.admit(realm, token)

    assert await gate.admit(realm, token) is first
    assert len(seen) == 1
    await gate.admit(snapshot(), token)  # the realm has changed
    assert len(seen) == 2
    clock.pass_time(660.0)
    with pytest.raises(TokenRefused):
        await gate.admit(realm, token)


async def test_what_one_realm_remembers_opens_no_other(gate: AccessGate) -> None:
    token = sign(claims())
    await gate.admit(snapshot(), token)

    with pytest.raises(TokenRefused):
        await gate.admit(snapshot(realm=RealmId("ffffffff"), keys=(RealmKey("18", OTHER_SECRET),)), token)


async def test_memory_for_tokens_is_bounded(gate: AccessGate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "MAX_REMEMBERED", 3)
    realm = snapshot()
    for number in range(5):
        await gate.admit(realm, sign(claims(jti=str(number))))
    assert gate.remembered == 3

    monkeypatch.setattr(gate_module, "MAX_REMEMBERED_CHARACTERS", 700)
    await gate.admit(realm, sign(claims(info="x" * 200)))
    assert gate.remembered < 3


async def test_an_address_that_fails_often_is_not_looked_at(gate: AccessGate) -> None:
    realm, bad = snapshot(), sign(claims(), secret=OTHER_SECRET)
    for _ in range(100):
        with pytest.raises(TokenRefused):
            await gate.admit(realm, bad, address="192.0.2.1")

    with pytest.raises(LimitReached):
        await gate.admit(realm, sign(claims()), address="192.0.2.1")
    assert await gate.admit(realm, sign(claims()), address="192.0.2.2")
    other = snapshot(realm=RealmId("ffffffff"))
    assert await gate.admit(other, sign(claims()), address="192.0.2.1")


async def test_a_client_is_told_its_user_and_time(gate: AccessGate) -> None:
    who = await gate.admit(snapshot(), sign(claims()))

    assert gate.describe(who) == {"user": "alice", "expires_in_s": 600}


@pytest.mark.parametrize(
    ("headers", "options", "token"),
    [
        ([], {}, None),
        ([], {"token": "t"}, "t"),
        ([], {"token": ""}, None),
        ([(b"authorization", b"Bearer h")], {}, "h"),
        ([(b"authorization", b"bearer  h ")], {"token": "t"}, "h"),
        ([(b"authorization", b"Basic eDp5")], {"token": "t"}, "t"),
    ],
)
def test_a_token_comes_in_the_header_or_the_query(
    headers: list[tuple[bytes, bytes]], options: dict[str, str], token: str | None
) -> None:
    assert read_token({"headers": headers}, options) == token


# -- the newest of a realm


async def test_later_commands_are_checked_by_what_the_realm_is_now(clock: SteppedClock) -> None:
    directory = FakeDirectory(snapshot())
    gate = AccessGate(clock, directory)
    subscriber = Subscriber(REALM, PLAIN_JSON_LINES, address="192.0.2.1")
    await gate.check_now(subscriber, "subscribe", ORDERS)

    directory.replace(with_rule(access="token"))

    with pytest.raises(NoToken):
        await gate.check_now(subscriber, "subscribe", ORDERS)
    subscriber.grant = grant("subscribe")
    await gate.check_now(subscriber, "subscribe", ORDERS)
    with pytest.raises(NotFound):
        await gate.find_realm(RealmId("ffffffff"))


# -- keys at a URL


class Login:
    """Fetches a realm's keys: a new one comes when it is asked."""

    def __init__(self, directory: FakeDirectory, *, has_news: bool = True) -> None:
        self.asked = 0
        self._directory = directory
        self._has_news = has_news

    async def refresh(self, realm: RealmId) -> bool:
        self.asked += 1
        if self._has_news:
            self._directory.replace(snapshot(fetches_keys=True, public_keys=public_keys("RS256")))
        return self._has_news


async def test_an_unknown_key_is_fetched_and_the_token_checked_again(clock: SteppedClock) -> None:
    before = snapshot(fetches_keys=True)
    login = Login(FakeDirectory(before))
    gate = AccessGate(clock, login._directory, refresh_keys=login.refresh)

    grant = await gate.admit(before, sign(claims(), algorithm="RS256", kid="RS256"))

    assert grant.key_id == "p1:RS256"
    assert login.asked == 1


async def test_keys_are_not_fetched_for_every_token(clock: SteppedClock) -> None:
    realm = snapshot(fetches_keys=True)
    login = Login(FakeDirectory(realm), has_news=False)
    gate = AccessGate(clock, login._directory, refresh_keys=login.refresh)

    async def come(token: str, realm: RealmSnapshot = realm) -> None:
        with pytest.raises(TokenRefused):
            await gate.admit(realm, token)

    for _ in range(5):
        await come(sign(claims(), algorithm="RS256"))
    assert login.asked == 1
    clock.pass_time(60)
    await come(sign(claims(), secret=OTHER_SECRET))  # not what new keys would help
    await come(sign(claims(), algorithm="RS256"), snapshot())  # no keys at a URL
    assert login.asked == 1
    await come(sign(claims(), algorithm="RS256"))
    assert login.asked == 2


async def test_one_fetch_at_a_time(clock: SteppedClock) -> None:
    realm, asked, go_on = snapshot(fetches_keys=True), [], asyncio.Event()

    async def refresh(realm: RealmId) -> bool:
        asked.append(realm)
        await go_on.wait()
        return False

    gate = AccessGate(clock, FakeDirectory(realm), refresh_keys=refresh)
    first = asyncio.create_task(gate.admit(realm, sign(claims(), algorithm="RS256")))
    await asyncio.sleep(0)
    with pytest.raises(TokenRefused):
        await gate.admit(snapshot(realm=RealmId("ffffffff"), fetches_keys=True), sign(claims(), algorithm="RS256"))
    go_on.set()
    with pytest.raises(TokenRefused):
        await first

    assert asked == [REALM]
