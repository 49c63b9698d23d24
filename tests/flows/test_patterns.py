"""Patterns on the real product: two processes on one Redis, and channels that nobody knew before."""

import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.servers.product import Product, ProductRealm

_ADD_RULE = """
from realms.models import Realm
from realms.rule_settings import RuleSettings
from realms.services.rules import add_rule
add_rule(realm=Realm.objects.get(id=sys.argv[1]), pattern="secret.*", settings=RuleSettings(access="token"))
"""
PATIENCE_S = 15.0


@pytest.fixture
def realm(products: list[Product]) -> ProductRealm:
    return products[0].create_realm()


def _connect(product: Product, realm: ProductRealm, query: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{product.port}/r/{realm.realm}/fanout/ws?{query}")


def _publish(product: Product, realm: ProductRealm, *items: tuple[str, int]) -> None:
    body = {"items": [{"channel": channel, "json-object": number} for channel, number in items]}
    answer = httpx.post(f"{product.url}/realm/{realm.realm}/publish/", auth=realm.auth, json=body)
    assert answer.status_code == 200, answer.text


def _read(connection: ClientConnection, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """Return the next messages of a kind."""
    deadline, found = time.monotonic() + PATIENCE_S, []
    while len(found) < count:
        message = json.loads(connection.recv(timeout=max(0.01, deadline - time.monotonic())))
        if message["type"] == kind:
            found.append(message)
        assert message["type"] not in ("error", "reset"), message
    return found


def test_new_channels_are_followed_from_their_first_item_over_processes(
    products: list[Product], realm: ProductRealm
) -> None:
    here, there = products
    with _connect(here, realm, "pattern=orders.*") as near, _connect(there, realm, "pattern=orders.*") as far:
        for one in (near, far):
            assert _read(one, "subscribed") == [{"type": "subscribed", "pattern": "orders.*"}]
        for number in range(30):
            _publish((here, there)[number % 2], realm, (f"orders.{number % 10}", number), ("news", number))

        for one in (near, far):
            by_channel: dict[str, list[int]] = {}
            for item in _read(one, "item", 30):
                by_channel.setdefault(item["channel"], []).append(item["data"])
            assert by_channel == {f"orders.{n}": [n, n + 10, n + 20] for n in range(10)}


def test_who_may_not_read_is_not_told_that_there_is_anything(products: list[Product], realm: ProductRealm) -> None:
    products[0].run_python(_ADD_RULE, realm.realm)
    for query in ("pattern=secret.*", "pattern=*"):
        with _connect(products[1], realm, query) as refused:
            assert json.loads(refused.recv(timeout=PATIENCE_S))["code"] == "no_token"
    claims = {"exp": int(time.time()) + 600, "channels": {"secret.*": ["subscribe"]}}
    token = jwt.encode(claims, base64.b64decode(realm.key), algorithm="HS256")
    with (
        _connect(products[1], realm, f"pattern=secret.*&token={token}") as allowed,
        _connect(products[1], realm, "pattern=s.*&pattern=news.*") as nobody,
    ):
        _read(allowed, "subscribed")
        _read(nobody, "subscribed", 2)
        _publish(products[0], realm, ("secret.1", 1), ("news.1", 2))
        assert _read(allowed, "item")[0]["data"] == 1
        message = json.loads(nobody.recv(timeout=PATIENCE_S))
        assert (message["type"], message["channel"]) == ("subscribed", "news.1")
        assert _read(nobody, "item")[0]["data"] == 2


def test_patterns_come_and_go_on_a_websocket_and_come_with_a_stream(
    products: list[Product], realm: ProductRealm
) -> None:
    here, there = products
    with _connect(here, realm, "") as client:
        client.send('{"type":"subscribe","pattern":"a.*"}')
        _read(client, "subscribed")
        _publish(there, realm, ("a.1", 1))
        assert _read(client, "item")[0]["channel"] == "a.1"
        client.send('{"type":"unsubscribe","pattern":"a.*"}')
        assert [message.get("channel") for message in _read(client, "unsubscribed", 2)] == ["a.1", None]

    url = f"{here.url}/r/{realm.realm}/fanout/stream?pattern=b.*"
    with httpx.stream("GET", url, timeout=PATIENCE_S) as stream:
        lines = stream.iter_lines()
        assert [json.loads(next(lines))["type"] for _ in range(2)] == ["welcome", "subscribed"]
        _publish(there, realm, ("b.1", 1))
        assert [json.loads(next(lines))["type"] for _ in range(2)] == ["subscribed", "item"]
    for path in ("sse", "poll"):
        answer = httpx.get(f"{here.url}/r/{realm.realm}/fanout/{path}?pattern=b.*")
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "pattern")
