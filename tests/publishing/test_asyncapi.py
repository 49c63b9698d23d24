"""The AsyncAPI document against real traffic: every message of every transport, in both directions."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from websockets.sync.client import connect

from publishing.asyncapi import RECEIVED, SENT, asyncapi_document
from tests.servers.product import Product, ProductRealm, product

__all__ = ["product"]
DEADLINE_S = 10.0
ITEMS = [
    {"channel": "door", "id": "18", "json-object": {"open": True}},
    {"channel": "door", "ws-message": {"content": "ding"}, "http-stream": {"content": "ding"}},
    {"channel": "door", "ws-message": {"content-bin": "/w=="}, "http-stream": {"content-bin": "/w=="}},
    {"channel": "door", "http-response": {"body": "for polls only"}},
]


@pytest.fixture(scope="module")
def document(product: Product) -> dict[str, Any]:
    return httpx.get(f"{product.url}/api/v1/asyncapi.json").json()


@pytest.fixture
def realm(product: Product) -> ProductRealm:
    return product.create_realm()


def judge(document: dict[str, Any], name: str, value: Any) -> None:
    """Hold a message against its schema; members that it does not name are a fault here."""
    payload = dict(document["components"]["messages"][name]["payload"], additionalProperties=False)
    Draft202012Validator(payload).validate(value)


def publish(realm: ProductRealm, items: list[Any]) -> None:
    httpx.post(f"{realm.api}/publish/", auth=realm.auth, json={"items": items}).raise_for_status()


def refer(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part: Any) -> Iterator[str]:
    for name, inner in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if name == "$ref":
            yield inner
        else:
            yield from references(inner)


def test_the_document_hangs_together(client: Client, db: None):
    document = client.get("/api/v1/asyncapi.json").json()

    assert document == asyncapi_document("http://localhost:8000")
    assert document["asyncapi"].startswith("3.")
    for reference in references(document):
        assert refer(document, reference)
    for message in document["components"]["messages"].values():
        Draft202012Validator.check_schema(message["payload"])


def test_websockets_speak_as_the_document_says(document: dict[str, Any], realm: ProductRealm):
    says = [
        {"type": "ping"},
        {"type": "subscribe", "channel": "bell"},
        {"type": "unsubscribe", "channel": "bell"},
        {"type": "auth", "token": "x.y.z"},
        {"type": "publish", "channel": "door", "data": 1, "id": "1"},
    ]
    seen: dict[str, Any] = {}
    url = f"{realm.site.replace('http', 'ws', 1)}/fanout/ws?channel=door"
    with connect(url, open_timeout=DEADLINE_S, close_timeout=1) as socket:
        for command in says:
            judge(document, command["type"], command)
            socket.send(json.dumps(command))
        publish(realm, ITEMS)
        while not {"item", "position", "pong", "unsubscribed", "error"} <= seen.keys():
            message = json.loads(socket.recv(timeout=DEADLINE_S))
            judge(document, message["type"], message)
            seen[message["type"]] = message
    assert {command["type"] for command in says} == set(SENT)
    assert seen.keys() <= RECEIVED.keys()
    with connect(f"{url}&since=aaaaaaaa:1", open_timeout=DEADLINE_S, close_timeout=1) as socket:
        types = []
        while "reset" not in types:
            message = json.loads(socket.recv(timeout=DEADLINE_S))
            judge(document, message["type"], message)
            types.append(message["type"])


@pytest.mark.parametrize("transport", ["stream", "sse"])
def test_streams_speak_as_the_document_says(document: dict[str, Any], realm: ProductRealm, transport: str):
    seen = set()
    url = f"{realm.site}/fanout/{transport}?channel=door"
    with httpx.stream("GET", url, timeout=DEADLINE_S) as answer:
        for line in answer.iter_lines():
            text = line.removeprefix("data: ") if transport == "sse" else line
            if not text.startswith("{"):
                continue
            message = json.loads(text)
            judge(document, message["type"], message)
            assert message["type"] in document["channels"][transport]["messages"]
            if message["type"] == "subscribed":
                publish(realm, ITEMS)
            seen.add(message["type"])
            if message["type"] == "position":
                break
    assert seen == {"welcome", "subscribed", "item", "position"}


def test_polls_answer_as_the_document_says(document: dict[str, Any], realm: ProductRealm):
    url = f"{realm.site}/fanout/poll?channel=door&timeout=0"
    first = httpx.get(url).json()
    publish(realm, ITEMS)
    second = httpx.get(f"{url}&since={first['cursor']}").json()
    lost = httpx.get(f"{url}&since=aaaaaaaa:1").json()

    for answer in (first, second, lost):
        judge(document, "poll", answer)
    assert [item["type"] for item in second["items"]] == ["item", "item"]
    assert lost["resets"]
    judge(document, "refusal", httpx.get(f"{url}&since=yesterday").json())
