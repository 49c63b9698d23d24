"""Presence on the real product: two processes on one Redis, and one of them is killed."""

import asyncio
import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from websockets.sync.client import ClientConnection, connect

from fanoutcloud.broker.event_outboxes import make_event_outbox
from fanoutcloud.broker.redis import RedisBroker
from fanoutcloud.broker.redis_names import realm_key
from fanoutcloud.core.clock import SystemClock
from fanoutcloud.core.names import RealmId
from tests.servers.product import Product, ProductRealm

_ADD_RULE = """
from realms.models import Realm
from realms.rule_settings import RuleSettings
from realms.services.rules import add_rule
settings = RuleSettings(presence=True, webhook_events=("occupied", "vacated"))
add_rule(realm=Realm.objects.get(id=sys.argv[1]), pattern="room.*", settings=settings)
"""
_ADD_ENDPOINT = """
from publishing.webhooks.endpoints import create_endpoint
from realms.models import Realm
create_endpoint(realm=Realm.objects.get(id=sys.argv[1]), url="https://hooks.example.com/", events=["connection.closed"])
"""
DEADLINE_S = 15.0


@pytest.fixture(scope="module")
def realm(products: list[Product]) -> ProductRealm:
    realm = products[0].create_realm()
    products[0].run_python(_ADD_RULE, realm.realm)
    return realm


def _token(realm: ProductRealm, user: str) -> str:
    claims = {"sub": user, "exp": int(time.time()) + 600, "info": {"name": user.title()}}
    return jwt.encode(claims, base64.b64decode(realm.key), algorithm="HS256")


def _connect(product: Product, realm: ProductRealm, user: str, more: str = "") -> ClientConnection:
    url = f"ws://127.0.0.1:{product.port}/r/{realm.realm}/fanout/ws?channel=room.1&token={_token(realm, user)}{more}"
    return connect(url)


def _next(connection: ClientConnection, kind: str = "presence") -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=max(0.01, deadline - time.monotonic())))
        if message["type"] == kind:
            return message


def _named(connection: ClientConnection, member: str, user: str) -> None:
    """Wait until a message names the user."""
    while True:
        message = _next(connection)
        names = [one["user"] if isinstance(one, dict) else one for one in message.get(member, [])]
        if user in names:
            return


def _list_becomes(url: str, members: list[dict[str, Any]]) -> None:
    """Wait until the list is this one: a process that gets no time for seconds leaves, and comes back by itself."""
    deadline = time.monotonic() + DEADLINE_S
    while (seen := httpx.get(url).json()["members"]) != members and time.monotonic() < deadline:
        time.sleep(0.1)
    assert seen == members


def test_members_are_told_of_each_other_over_processes_and_a_killed_one_leaves_no_ghosts(
    products: list[Product], realm: ProductRealm
) -> None:
    here, there = products
    with _connect(here, realm, "alice", "&presence=1") as alice, _connect(there, realm, "bob"):
        first = _next(alice)
        if "bob" not in [one["user"] for one in first["members"]]:
            _named(alice, "joined", "bob")
        _list_becomes(
            f"{here.url}/r/{realm.realm}/fanout/presence?channel=room.1",
            [{"user": "alice", "info": {"name": "Alice"}}, {"user": "bob", "info": {"name": "Bob"}}],
        )

        there.kill()
        _named(alice, "left", "bob")

        there.start()
        with _connect(there, realm, "bob"):
            _named(alice, "joined", "bob")


async def _count_written_down(redis_url: str, realm: str) -> int:
    """Return how many open connections of a realm would be told if their process died now."""
    broker, key = RedisBroker(redis_url, SystemClock()), realm_key(RealmId(realm), "open")
    await broker.start()
    try:
        return int(await broker.connection_for(key).call("HLEN", key))
    finally:
        await broker.close()


async def _ends_in_outbox(redis_url: str, realm: str) -> list[dict[str, Any]]:
    """Return the ends of connections that wait for webhooks: no worker runs here."""
    broker = RedisBroker(redis_url, SystemClock())
    await broker.start()
    try:
        entries = await make_event_outbox(broker, SystemClock()).take(1000)
    finally:
        await broker.close()
    events = [entry.event for entry in entries if entry.event.realm == realm]
    return [json.loads(event.data) for event in events if event.kind == "connection.closed"]


def test_webhooks_are_told_that_connections_of_a_killed_process_have_ended(
    products: list[Product], redis_url: str
) -> None:
    there = products[1]
    realm = products[0].create_realm()
    products[0].run_python(_ADD_ENDPOINT, realm.realm)
    with _connect(there, realm, "bob"), _connect(products[0], realm, "alice"):
        deadline = time.monotonic() + DEADLINE_S
        while asyncio.run(_count_written_down(redis_url, realm.realm)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)

        there.kill()
        there.start()
        deadline = time.monotonic() + DEADLINE_S
        while not (told := asyncio.run(_ends_in_outbox(redis_url, realm.realm))) and time.monotonic() < deadline:
            time.sleep(0.2)

    assert [(one["user"], one["reason"], one["transport"]) for one in told] == [("bob", "edge-lost", "websocket")]


def test_presence_is_refused_where_the_rule_does_not_have_it(products: list[Product], realm: ProductRealm) -> None:
    site = f"{products[0].url}/r/{realm.realm}/fanout"
    for path in ("presence?channel=quiet", "sse?channel=quiet&presence=1"):
        answer = httpx.get(f"{site}/{path}")
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "channel")
    assert httpx.get(f"{site}/presence?channel=room.1&limit=0").json()["error"]["field"] == "limit"
    assert httpx.get(f"{site}/presence").status_code == 400
