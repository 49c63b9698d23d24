"""Limits of a realm and of a connection, on the wire: who is refused is told which limit, its value, and when."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.servers.listening import PATIENCE_S
from tests.servers.product import Product, ProductRealm, running_product

LIMITS = {
    "REALM_CONNECTIONS": "3",
    "REALM_CHANNELS": "4",
    "ITEM_BYTES": "1000",
    "EGRESS_BYTES_PER_S": "1000",
    "EGRESS_BYTES_BURST": "20000",
}
Message = dict[str, Any]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A product whose realms may have next to nothing."""
    with running_product(tmp_path_factory.mktemp("limited"), **LIMITS) as product:
        yield product


@pytest.fixture
def own_realm(product: Product) -> ProductRealm:
    """A realm that no other test has used up."""
    return product.create_realm()


@contextmanager
def websocket(realm: ProductRealm, query: str = "") -> Iterator[ClientConnection]:
    url = f"{realm.site.replace('http', 'ws', 1)}/fanout/ws{query}"
    with connect(url, open_timeout=PATIENCE_S, proxy=None) as client:
        yield client


def receive(client: ClientConnection, kind: str) -> Message:
    """Return the next message of this type."""
    while True:
        message: Message = json.loads(client.recv(timeout=PATIENCE_S))
        if message["type"] == kind:
            return message


def close_code(client: ClientConnection) -> int | None:
    """Read to the end; return the code that the server closed with."""
    try:
        while True:
            client.recv(timeout=PATIENCE_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def publish(http: httpx.Client, realm: ProductRealm, *items: Message, as_json: bool = False) -> httpx.Response:
    headers = {"accept": "application/json"} if as_json else {}
    return http.post(f"{realm.api}/publish/", json={"items": items}, auth=realm.auth, headers=headers)


def test_connections_beyond_the_limit_are_refused_on_every_transport(http: httpx.Client, own_realm: ProductRealm):
    with ExitStack() as open_ones:
        clients = [open_ones.enter_context(websocket(own_realm, "?channel=a")) for _ in range(3)]
        for client in clients:
            receive(client, "subscribed")

        for path in ("sse?channel=a", "stream?channel=a", "poll?channel=a"):
            refused = http.get(f"{own_realm.site}/fanout/{path}")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
            assert refused.json()["error"] == {
                "code": "too_many_connections",
                "message": "this realm may have 3 connections at once (limit connections)",
                "cure": "try again in 5 s",
                "limit": "connections",
                "retry_after_s": 5,
            }
        with websocket(own_realm, "?channel=a") as client:
            assert receive(client, "error")["limit"] == "connections"
            assert close_code(client) == 4529
        clients[0].close()

        with websocket(own_realm, "?channel=a") as client:
            receive(client, "subscribed")


def test_channels_beyond_the_limit_are_refused_and_hurt_nothing_else(http: httpx.Client, own_realm: ProductRealm):
    with websocket(own_realm, "?channel=a&channel=b&channel=c") as client:
        receive(client, "welcome")
        client.send('{"type":"subscribe","channel":"d"}')
        receive(client, "subscribed")
        client.send('{"type":"subscribe","channel":"e"}')
        refused = receive(client, "error")
        client.send('{"type":"ping"}')
        receive(client, "pong")

        assert (refused["code"], refused["channel"]) == ("too_many_channels", "e")
        assert "4 channels subscribed at once (limit channels)" in refused["message"]
        answer = http.get(f"{own_realm.site}/fanout/sse?channel=f")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")
        with websocket(own_realm, "?channel=f") as other:
            assert receive(other, "error")["limit"] == "channels"
            assert close_code(other) == 4529
        assert http.get(f"{own_realm.site}/fanout/poll?channel=a&timeout=0").status_code == 200


def test_an_item_that_is_too_large_is_named_and_nothing_is_stored(http: httpx.Client, own_realm: ProductRealm):
    items = [{"channel": "a", "json-object": 1}, {"channel": "a", "json-object": "x" * 1000}]

    refused = publish(http, own_realm, *items, as_json=True)

    assert refused.status_code == 413
    assert refused.json()["error"] == {
        "code": "item_too_large",
        "message": "items[1]: the item holds 1,002 bytes of content; the realm's limit is 1,000 (item_bytes)",
        "cure": "send smaller items, or a link to what is large",
        "field": "items[1]",
        "limit": "item_bytes",
    }
    polled = http.get(f"{own_realm.site}/fanout/poll?channel=a&timeout=0").json()
    assert polled["cursor"].endswith(":0")


def test_over_its_egress_a_realm_publishes_no_more_and_loses_nothing(http: httpx.Client, own_realm: ProductRealm):
    item = {"channel": "a", "json-object": "x" * 900}
    accepted = 0
    with websocket(own_realm, "?channel=a") as one, websocket(own_realm, "?channel=a") as two:
        for client in (one, two):
            receive(client, "subscribed")
        while (answer := publish(http, own_realm, item, as_json=True)).status_code == 200:
            accepted += 1
            assert accepted < 10_000
        refused_subscriber = http.get(f"{own_realm.site}/fanout/sse?channel=a")

        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "egress_limited"
        assert "1,000 bytes per second, 20,000 at once (limit egress_bytes)" in answer.json()["error"]["message"]
        assert int(answer.headers["retry-after"]) >= 1
        assert (refused_subscriber.status_code, refused_subscriber.json()["error"]["limit"]) == (429, "egress_bytes")
        for client in (one, two):
            offsets = [receive(client, "item")["position"].rpartition(":")[2] for _ in range(accepted)]
            assert offsets == [str(number) for number in range(1, accepted + 1)]
    assert accepted >= 10


def test_a_connection_that_sends_too_many_commands_is_told_and_closed(own_realm: ProductRealm):
    with websocket(own_realm) as client:
        receive(client, "welcome")
        for _ in range(600):
            try:
                client.send('{"type":"ping"}')
            except ConnectionClosed:
                break

        error = receive(client, "error")

        assert (error["code"], error["limit"]) == ("too_many_commands", "connection_commands")
        assert close_code(client) == 4529


def test_credentials_that_fail_again_and_again_are_not_looked_at(
    http: httpx.Client, own_realm: ProductRealm, foreign_realm: ProductRealm
):
    wrong = (own_realm.realm, "d3Jvbmc=")
    publish(http, own_realm, {"channel": "a", "json-object": 1})  # this credential is known from here on

    tries = 0
    while (answer := http.post(f"{own_realm.api}/publish/", content=b"{}", auth=wrong)).status_code == 401:
        tries += 1
        assert tries < 5000

    assert tries >= 100
    assert answer.status_code == 429
    assert "one address may fail 10 times per second, 100 at once" in answer.text
    assert answer.headers["retry-after"] == "1"
    assert publish(http, own_realm, {"channel": "a", "json-object": 2}).status_code == 200
    assert publish(http, foreign_realm, {"channel": "a", "json-object": 2}).status_code == 200


def test_refusals_are_counted_by_limit(http: httpx.Client, product: Product, own_realm: ProductRealm):
    publish(http, own_realm, {"channel": "a", "json-object": "x" * 2000})

    text = http.get(f"{product.url}/metrics").text

    assert 'fanout_limits_hits_total{limit="item_bytes"}' in text
    assert 'fanout_publish_requests_total{outcome="item_too_large"}' in text
    assert own_realm.realm not in text
