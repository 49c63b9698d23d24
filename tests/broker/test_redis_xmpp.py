"""Where subscriptions of XMPP sessions are kept: the same promises in Redis and in memory."""

import secrets
from collections.abc import AsyncIterator

import pytest

from fanoutcloud.broker.redis_xmpp import RedisSubscriptionStore
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.streams import StreamPosition
from fanoutcloud.core.xmpp_subscriptions import (
    KeptSubscription,
    MemorySubscriptionStore,
    SubscriptionName,
    SubscriptionStore,
)
from tests.broker.redis_brokers import Opened

AT = StreamPosition("abcdefgh", 7)


def kept(jid: str, offset: int = 7) -> KeptSubscription:
    name = SubscriptionName(jid, RealmId("0a1b2c3d"), ChannelName("door/front"))
    return KeptSubscription(name, jid, StreamPosition("abcdefgh", offset), "token")


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[SubscriptionStore]:
    if request.param == "memory":
        yield MemorySubscriptionStore()
        return
    async with Opened(request.getfixturevalue("redis_url")) as opened:
        yield RedisSubscriptionStore(opened.broker.connection_for, secrets.token_hex(4))


async def test_what_is_saved_is_loaded_and_what_ended_is_not(store: SubscriptionStore) -> None:
    assert await store.load() == []
    await store.save([kept("a@b/c"), kept("d@e/f")], [])
    await store.save([kept("a@b/c", 9)], [kept("d@e/f").name])
    await store.save([], [])

    assert await store.load() == [kept("a@b/c", 9)]
