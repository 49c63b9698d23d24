"""Channel rules on every transport: who may subscribe and publish, what newcomers get, and what limits hold."""

import base64
import json
import time
from typing import Any

import httpx
import jwt
import pytest

from tests.contracts.sites import ServedRealm
from tests.contracts.test_transports_tokens import HTTP_READERS, make_token, refusal_on_websocket
from tests.contracts.transports import READERS, Reader, SiteUnderTest, WebSocketReader
from tests.servers.product import ProductRealm

_MAKE_RULES = """
from realms.models import Realm
from realms.rule_settings import parse_settings
from realms.services import add_rule
realm = Realm.objects.get(pk=sys.argv[1])
for pattern, document in json.loads(sys.argv[2]).items():
    add_rule(realm=realm, pattern=pattern, settings=parse_settings(document))
"""
_RULES: dict[str, Any] = {
    "secret.*": {"access": "token"},
    "chat.*": {"client_publish": True, "item_bytes": 100, "publish_per_s": 1, "publish_burst": 3},
    "club.*": {"client_publish": True, "access": "token"},
    "last.*": {"cache_last_item": True},
    "brief.*": {"history_items": 1},
}


def _rule(served: ServedRealm) -> ServedRealm:
    """Return a new realm of the product with rules: made before anybody asks for it."""
    product, _ = served
    realm: ProductRealm = product.create_realm()
    product.run_python(_MAKE_RULES, realm.realm, json.dumps(_RULES))
    return product, realm


@pytest.fixture(scope="module")
def prepared_ruled(prepared_realm: ServedRealm) -> ServedRealm:
    return _rule(prepared_realm)


@pytest.fixture(scope="module")
def plain_ruled(plain_realm: ServedRealm) -> ServedRealm:
    return _rule(plain_realm)


@pytest.fixture(params=["prepared", "plain"])
def ruled(request: pytest.FixtureRequest, http: httpx.AsyncClient) -> SiteUnderTest:
    """A realm with rules under both servers in turn."""
    product, realm = request.getfixturevalue(f"{request.param}_ruled")
    return SiteUnderTest(product, realm, http)


def allow(site: SiteUnderTest, channels: dict[str, list[str]], **claims: Any) -> str:
    return make_token(site, channels=channels, **claims)


# -- subscribing


async def test_a_channel_with_token_is_closed_without_one(ruled: SiteUnderTest, channel: str) -> None:
    query = f"channel=open&channel=secret.{channel}"
    for kind in HTTP_READERS:
        answer = await ruled.get(f"{kind.path}?{query}")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "no_token"

    error, code = await refusal_on_websocket(ruled, query)
    assert (error["code"], code) == ("no_token", 3401)


async def test_a_token_for_another_channel_does_not_open_it(ruled: SiteUnderTest, channel: str) -> None:
    query = f"channel=secret.{channel}&token={allow(ruled, {'secret.other': ['subscribe'], '*': ['publish']})}"
    for kind in HTTP_READERS:
        answer = await ruled.get(f"{kind.path}?{query}")
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "not_allowed"

    error, code = await refusal_on_websocket(ruled, query)
    assert (error["code"], code) == ("not_allowed", 3403)


async def test_a_token_opens_its_channel(ruled: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    name = f"secret.{channel}"
    async with reader(ruled, name, query=f"token={allow(ruled, {'secret.*': ['subscribe']})}") as subscriber:
        await subscriber.ready()
        await ruled.publish(name, 1)
        assert await subscriber.data(1) == [1]


async def test_another_realms_token_opens_nothing(
    ruled: SiteUnderTest, request: pytest.FixtureRequest, channel: str
) -> None:
    product, other = request.getfixturevalue("prepared_realm" if ruled.is_prepared else "plain_realm")
    foreign = allow(SiteUnderTest(product, other, ruled.http), {"*": ["*"]})
    answer = await ruled.get(f"/fanout/poll?channel=secret.{channel}&token={foreign}")

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "wrong_key"


async def test_a_websocket_opens_channels_by_auth_and_loses_them_by_another_token(
    ruled: SiteUnderTest, channel: str
) -> None:
    name = f"secret.{channel}"
    async with WebSocketReader(ruled, channel) as subscriber:
        await subscriber.ready()
        await subscriber.send(type="subscribe", channel=name)
        refused = await subscriber.next()
        await subscriber.send(type="auth", token=allow(ruled, {name: ["subscribe"]}))
        await subscriber.next()
        await subscriber.send(type="subscribe", channel=name)
        await subscriber.until("subscribed")
        await ruled.publish(name, 1)
        [item] = await subscriber.items(1)
        await subscriber.send(type="auth", token=allow(ruled, {"other": ["subscribe"]}))
        told = [await subscriber.next() for _ in range(3)]
        await ruled.publish(name, 2)
        await ruled.publish(channel, 3)
        [after] = await subscriber.items(1)

    assert (refused["code"], refused["channel"]) == ("no_token", name)
    assert item["data"] == 1
    assert [(one["type"], one.get("code")) for one in told] == [
        ("authorized", None),
        ("error", "not_allowed"),
        ("unsubscribed", None),
    ]
    assert after["data"] == 3


async def test_newcomers_get_the_last_item(ruled: SiteUnderTest, reader: type[Reader], channel: str) -> None:
    name = f"last.{channel}"
    await ruled.publish(name, 1, 2)

    async with reader(ruled, name) as subscriber:
        [item] = await subscriber.items(1)
        await ruled.publish(name, 3)
        assert await subscriber.data(1) == [3]
        assert not subscriber.told("reset")

    assert item["data"] == 2


async def test_history_is_as_long_as_the_rule_says(ruled: SiteUnderTest, channel: str) -> None:
    for name, resets in ((f"brief.{channel}", 1), (f"long.{channel}", 0)):
        cursor = (await ruled.get(f"/fanout/poll?channel={name}&timeout=0")).json()["cursor"]
        await ruled.publish(name, 1, 2, 3)
        answer = (await ruled.get(f"/fanout/poll?channel={name}&since={cursor}")).json()
        assert len(answer.get("resets", [])) == resets, name


# -- publishing


async def test_a_client_publishes_and_everybody_sees_who_it_was(ruled: SiteUnderTest, channel: str) -> None:
    name = f"club.{channel}"
    token = allow(ruled, {"club.*": ["subscribe"]})
    readers = [kind(ruled, name, query=f"token={token}") for kind in READERS.values()]
    websocket = readers[0]
    assert isinstance(websocket, WebSocketReader)
    got = []
    for reader in readers:
        await reader.__aenter__()
        await reader.ready()
    try:
        await websocket.send(type="publish", channel=name, data={"text": "hi\nthere", "n": 1.50}, id="7")
        messages = [await websocket.next(), await websocket.next()]
        for reader in readers[1:]:
            got += await reader.items(1)
    finally:
        for reader in readers:
            await reader.__aexit__(None, None, None)

    [ack] = [one for one in messages if one["type"] == "published"]
    [own] = [one for one in messages if one["type"] == "item"]
    assert (ack["channel"], ack["id"], ack["position"]) == (name, "7", own["position"])
    for item in [own, *got]:
        assert (item["data"], item["user"], item["id"]) == ({"text": "hi\nthere", "n": 1.5}, "alice", "alice:7")


async def test_a_repeated_publish_is_delivered_once(ruled: SiteUnderTest, channel: str) -> None:
    name = f"club.{channel}"
    token = allow(ruled, {"club.*": ["subscribe"]})
    async with WebSocketReader(ruled, name, query=f"token={token}") as subscriber:
        await subscriber.ready()
        for _ in range(2):
            await subscriber.send(type="publish", channel=name, data=1, id="7")
        told = [await subscriber.next() for _ in range(3)]
        # what the realm's server calls so is another item
        await ruled.publish_items({"channel": name, "id": "7", "json-object": 2})
        [other] = await subscriber.items(1)

    assert sorted(one["type"] for one in told) == ["item", "published", "published"]
    assert len({one["position"] for one in told}) == 1
    assert (other["data"], other["id"]) == (2, "7")
    assert "user" not in other


async def test_who_may_not_publish_is_told_why(ruled: SiteUnderTest, channel: str) -> None:
    poor = allow(ruled, {"secret.*": ["subscribe"]})
    async with WebSocketReader(ruled, query=f"token={poor}") as subscriber:
        await subscriber.send(type="publish", channel=f"secret.{channel}", data=1, id="7")
        first = await subscriber.next()
        await subscriber.send(type="publish", channel="hello")
        second = await subscriber.next()
        await subscriber.send(type="publish", data=1)
        third = await subscriber.next()
        await subscriber.send(type="publish", channel="chat.x", data=1, id="")
        fourth = await subscriber.next()

    assert (first["code"], first["channel"], first["id"]) == ("not_allowed", f"secret.{channel}", "7")
    assert [one["field"] for one in (second, third, fourth)] == ["data", "channel", "id"]


async def test_clients_without_token_publish_where_a_rule_says_so_within_its_limits(
    ruled: SiteUnderTest, channel: str
) -> None:
    name = f"chat.{channel}"
    async with WebSocketReader(ruled, name) as subscriber:
        await subscriber.ready()
        await subscriber.send(type="publish", channel=name, data="x" * 200)
        too_large = await subscriber.next()
        for number in range(4):
            await subscriber.send(type="publish", channel=name, data=number)
        told = [await subscriber.next() for _ in range(7)]

    assert (too_large["code"], too_large["field"]) == ("item_too_large", "data")
    assert [one["type"] for one in told].count("published") == 3
    [error] = [one for one in told if one["type"] == "error"]
    assert (error["code"], error["limit"]) == ("rate_limited", "channel_items")
    assert all("user" not in one for one in told)


# -- publishing over HTTP


async def post(site: SiteUnderTest, body: object, *, token: str | None = None, query: str = "") -> httpx.Response:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    options = {"content": body} if isinstance(body, bytes) else {"json": body}
    return await site.get(f"/fanout/publish{query}", method="POST", headers=headers, **options)


async def test_a_client_publishes_over_http(ruled: SiteUnderTest, channel: str) -> None:
    name = f"secret.{channel}"
    token = allow(ruled, {name: ["publish", "subscribe"]})
    async with WebSocketReader(ruled, name, query=f"token={token}") as subscriber:
        await subscriber.ready()
        answer = await post(ruled, {"channel": name, "data": [1], "id": "7"}, token=token)
        again = await post(ruled, {"channel": name, "data": [1], "id": "7"}, query=f"?token={token}")
        [item] = await subscriber.items(1)

    assert answer.status_code == again.status_code == 200, answer.text
    assert answer.json() == again.json()
    assert answer.json() == {"type": "published", "channel": name, "position": item["position"], "id": "7"}
    assert (item["data"], item["user"]) == ([1], "alice")


async def test_a_stranger_repeats_an_item_and_the_id_does_not_tell_from_where(
    ruled: SiteUnderTest, channel: str
) -> None:
    name = f"chat.{channel}"
    async with WebSocketReader(ruled, name) as subscriber:
        await subscriber.ready()
        answers = [await post(ruled, {"channel": name, "data": data, "id": "7"}) for data in (1, 1)]
        await ruled.publish(name, 2)
        first, second = await subscriber.items(2)

    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    assert (first["data"], second["data"]) == (1, 2)
    author, _, own = first["id"].partition(":")
    assert (own, len(author), "127.0.0.1" in first["id"]) == ("7", 16, False)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"[]", 400, "body"),
        (b"\xff", 400, "body"),
        (b"[" * 3000, 400, "body"),
        (b"x" * 70_000, 413, None),
        ({"channel": "chat.a"}, 400, "data"),
        ({"data": 1}, 400, "channel"),
        ({"channel": "chat.\n", "data": 1}, 400, "channel"),
        ({"channel": "chat.a", "data": 1, "id": "x" * 300}, 400, "id"),
        ({"channel": "hello", "data": 1}, 401, "token"),
        ({"channel": "chat.a", "data": "x" * 200}, 413, "data"),
    ],
)
async def test_a_wrong_post_is_answered_with_its_place(
    ruled: SiteUnderTest, body: object, status: int, field: str | None
) -> None:
    answer = await post(ruled, body)

    assert answer.status_code == status, answer.text
    assert answer.json()["error"].get("field") == field
    assert answer.json()["error"]["cure"]


async def test_a_post_with_a_bad_token_and_other_methods_are_refused(ruled: SiteUnderTest) -> None:
    expired = jwt.encode({"exp": int(time.time()) - 100}, base64.b64decode(ruled.realm.key), algorithm="HS256")

    bad = await post(ruled, {"channel": "chat.a", "data": 1}, token=expired)
    get = await ruled.get("/fanout/publish")
    elsewhere = await ruled.get("/fanout/sse", method="POST")

    assert (bad.status_code, bad.json()["error"]["code"]) == (401, "token_expired")
    assert (get.status_code, get.headers["allow"]) == (405, "POST, OPTIONS")
    assert (elsewhere.status_code, elsewhere.headers["allow"]) == (405, "GET, OPTIONS")
