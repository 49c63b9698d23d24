"""Enforcement: expiry with a grace, revocations and rules on connections that are open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fanoutcloud.core.access import Grant, Permission
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.revocations import Revocations
from fanoutcloud.core.rules import ChannelRule, make_rules
from fanoutcloud.edge.access.enforcement import Enforcement
from fanoutcloud.edge.access.gate import AccessGate
from tests.core.signed import REALM, snapshot
from tests.edge.worlds import EdgeWorld, RecordingSubscriber, until
from tests.fakes.directory import FakeDirectory

OTHER = RealmId("ffffffff")


class Told(RecordingSubscriber):
    """Knows what it was told of its token and its channels."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.graces: list[float] = []
        self.lost: list[tuple[str, str]] = []

    def tell_token_expired(self, grace_s: float) -> None:
        self.graces.append(grace_s)

    def lose(self, channel: ChannelName, error: FanoutError) -> None:
        self.lost.append((channel, error.code))


class AccessWorld(EdgeWorld):
    """A hub whose gate knows two realms with the same key id."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = FakeDirectory(snapshot(), snapshot(realm=OTHER))
        self.hub.gate = AccessGate(self.clock, self.directory)
        self.enforcement = Enforcement(self.hub)

    async def connect(self, *, realm: RealmId = REALM, channel: str = "hello", **grant: Any) -> Told:
        subscriber = Told(realm=realm)
        if grant:
            subscriber.grant = Grant(**({"key_id": "17", "expires_at": self.clock.now() + 600} | grant))
        self.hub.register(subscriber)
        await self.join(subscriber, channel)
        return subscriber

    async def change(self, **members: Any) -> None:
        """Change the realm as an announcement would tell."""
        now = self.directory.find_cached(REALM)
        assert now is not None
        self.directory.replace(replace(now, **members))
        self.enforcement.realm_changed(REALM)


@pytest.fixture
async def access() -> AsyncIterator[AccessWorld]:
    world = AccessWorld()
    async with world.running():
        yield world


async def test_an_expired_token_is_told_once_and_ends_the_connection_after_the_grace(access: AccessWorld) -> None:
    subscriber = await access.connect(user="alice")
    nobody = await access.connect()

    await access.enforcement.expire()
    assert subscriber.graces == []
    access.clock.pass_time(600)
    await access.enforcement.expire()
    access.clock.pass_time(1)
    await access.enforcement.expire()
    assert subscriber.graces == [60.0]
    assert not subscriber.is_closed
    access.clock.pass_time(59)
    await access.enforcement.expire()

    assert subscriber.close_reason is CloseReason.TOKEN_EXPIRED
    assert subscriber.is_closed
    assert not nobody.is_closed


async def test_a_new_token_in_time_goes_on_and_expires_anew(access: AccessWorld) -> None:
    subscriber = await access.connect(user="alice")
    access.clock.pass_time(610)
    await access.enforcement.expire()

    subscriber.grant = replace(subscriber.grant, expires_at=access.clock.now() + 100)
    access.clock.pass_time(70)
    await access.enforcement.expire()
    assert not subscriber.is_closed
    access.clock.pass_time(31)
    await access.enforcement.expire()

    assert len(subscriber.graces) == 2


async def test_revocations_end_those_they_cover_and_nobody_else(access: AccessWorld) -> None:
    by_token = await access.connect(user="alice", token_id="t1")
    by_user = await access.connect(user="bob", issued_at=5.0)
    newer = await access.connect(user="bob", issued_at=50.0)
    foreign = await access.connect(realm=OTHER, user="bob", token_id="t1", issued_at=5.0)
    nobody = await access.connect()

    await access.change(revocations=Revocations(tokens=frozenset({"t1"}), users={"bob": 10.0}))
    await until(lambda: by_token.is_closed and by_user.is_closed)

    assert by_token.close_reason is by_user.close_reason is CloseReason.TOKEN_REVOKED
    assert not any(one.is_closed for one in (newer, foreign, nobody))


async def test_a_revoked_key_ends_connections_that_came_by_it(access: AccessWorld) -> None:
    by_key = await access.connect(user="alice")
    foreign = await access.connect(realm=OTHER, user="alice")
    nobody = await access.connect()

    await access.change(keys=())
    await until(lambda: by_key.is_closed)

    assert not foreign.is_closed
    assert not nobody.is_closed


async def test_a_channel_that_becomes_private_is_lost_by_who_has_no_permission(access: AccessWorld) -> None:
    everywhere = (Permission(parse_pattern("*"), frozenset({"subscribe"})),)
    nobody = await access.connect(channel="secret")
    other_channel = await access.connect(channel="open")
    poor = await access.connect(channel="secret", user="alice")
    rich = await access.connect(channel="secret", user="bob", permissions=everywhere)

    await access.change(rules=make_rules([ChannelRule(pattern=parse_pattern("secret"), access="token")]))
    await until(lambda: bool(nobody.lost and poor.lost))

    assert (nobody.lost, poor.lost) == ([("secret", "no_token")], [("secret", "not_allowed")])
    assert not rich.lost
    assert not other_channel.lost


async def test_what_no_announcement_told_is_found_by_the_review(access: AccessWorld) -> None:
    subscriber = await access.connect(user="alice", token_id="t1")
    await access.enforcement.review()
    access.directory.replace(snapshot(revocations=Revocations(tokens=frozenset({"t1"}))))

    await access.enforcement.review()

    assert subscriber.close_reason is CloseReason.TOKEN_REVOKED


async def test_many_changes_at_once_cost_few_looks(access: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[RealmSnapshot] = []

    async def record(self: Enforcement, realm: RealmSnapshot) -> None:
        looked.append(realm)

    monkeypatch.setattr(Enforcement, "_enforce", record)
    await access.connect(user="alice")

    for number in range(100):
        await access.change(revocations=Revocations(tokens=frozenset({f"t{number}"})))
    await until(lambda: bool(looked) and "t99" in looked[-1].revocations.tokens)

    assert len(looked) <= 2


@asynccontextmanager
async def running(access: AccessWorld) -> AsyncIterator[None]:
    task = asyncio.create_task(access.enforcement.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_it_runs_by_itself(access: AccessWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanoutcloud.edge.access.enforcement.EXPIRY_TICK_S", 0.01)
    subscriber = await access.connect(user="alice", token_id="t1")
    expiring = await access.connect(user="bob", expires_at=access.clock.now() - 60)
    access.directory.replace(snapshot(revocations=Revocations(tokens=frozenset({"t1"}))))

    async with running(access):
        await until(lambda: expiring.is_closed)
        assert not subscriber.is_closed
        access.clock.pass_time(60)
        await until(lambda: subscriber.is_closed)
