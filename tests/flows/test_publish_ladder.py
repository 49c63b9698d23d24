"""The publish API of the real product on the wire: every rung of the ladder once, and what the subscriber gets."""

import base64
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest

from tests.flows.wire import connect, head_of, request_to_publish
from tests.servers.listening import Listener, listen
from tests.servers.product import Product, ProductRealm

LAST = "nothing else came before this"


@pytest.fixture
def listener(realm: ProductRealm, channel: str) -> Iterator[Listener]:
    """Somebody who listens to the test's channel of Alice's realm."""
    with listen(realm.site, channel) as listener:
        yield listener


def publish(http: httpx.Client, realm: ProductRealm, *items: Any, **how: Any) -> httpx.Response:
    how = {"auth": realm.auth, "json": {"items": items}} | how
    return http.post(f"{realm.api}/publish/", **how)


def token(realm: ProductRealm, *, iss: str | None = None, exp_in_s: float = 600, **options: Any) -> str:
    claims = {"iss": iss or realm.realm, "exp": int(time.time() + exp_in_s)}
    return jwt.encode(claims, base64.b64decode(realm.key), algorithm="HS256", **options)


def bearer(text: str) -> dict[str, Any]:
    return {"auth": None, "headers": {"Authorization": f"Bearer {text}"}}


# -- it works


@pytest.mark.parametrize(
    "credential_of",
    [
        lambda realm: {"auth": realm.auth},
        lambda realm: bearer(token(realm)),
        lambda realm: bearer(token(realm, headers={"typ": None})),
        lambda realm: bearer(realm.key),
    ],
    ids=["basic", "token", "token without typ", "key"],
)
def test_what_is_published_arrives(
    http: httpx.Client,
    realm: ProductRealm,
    channel: str,
    listener: Listener,
    credential_of: Callable[[ProductRealm], dict[str, Any]],
):
    answer = publish(http, realm, {"channel": channel, "id": 18, "json-object": {"n": 1}}, **credential_of(realm))

    assert (answer.status_code, answer.text) == (200, "Published\n")
    [item] = listener.take_items(1)
    assert (item["channel"], item["id"], item["data"]) == (channel, "18", {"n": 1})


def test_a_thousand_items_of_one_request_arrive_in_order(
    http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener
):
    answer = publish(http, realm, *({"channel": channel, "json-object": n} for n in range(1000)))

    assert answer.status_code == 200
    assert listener.take(1000) == list(range(1000))


@pytest.mark.parametrize("escape", ["room%2F{}/", "room/{}/", "room/{}"])
def test_the_old_form_names_its_channel_in_the_path(http: httpx.Client, realm: ProductRealm, channel: str, escape: str):
    with listen(realm.site, f"room/{channel}") as listener:
        url = f"{realm.api}/publish/{escape.format(channel)}"
        answer = http.post(url, json={"items": [{"json-object": 1}]}, auth=realm.auth)

        assert answer.status_code == 200
        assert listener.take() == [1]


def test_the_last_slash_may_be_left_out(http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener):
    items = {"items": [{"channel": channel, "json-object": 1}]}

    answer = http.post(f"{realm.api}/publish", json=items, auth=realm.auth)

    assert (answer.status_code, answer.history) == (200, [])
    assert listener.take() == [1]


def test_the_answer_is_json_for_who_asks_for_it(http: httpx.Client, realm: ProductRealm, channel: str):
    answer = publish(http, realm, {"channel": channel, "json-object": 1}, headers={"Accept": "application/json"})

    assert answer.json() == {"message": "Published"}


# -- it refuses, and then nothing arrives


def assert_nothing_came(http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener) -> None:
    assert publish(http, realm, {"channel": channel, "json-object": LAST}).status_code == 200
    assert listener.take() == [LAST]


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ({"auth": None}, 401, "no Authorization header came; send Basic REALM:KEY or a signed Bearer token"),
        (bearer("nonsense"), 401, "the credential is of no key of realm …; copy the key from the realm's page"),
        ({"json": None, "content": b"{"}, 400, "body: input data was truncated; send valid JSON"),
        ({"json": None, "content": b"\xff"}, 400, "body: byte 0 is not UTF-8; send the JSON as UTF-8"),
        ({"json": {"items": []}}, 400, "items: the list is empty; send at least one item"),
        ({"json": {"items": [{"json-object": 1}] * 10_000}}, 400, "items: holds 10,000 items; send at most 1,000"),
        ({"json": {"items": [{"channel": "x" * 10_000}]}}, 400, "items[0].channel: the channel name is longer than"),
        ({"json": {"items": [{"channel": "a\x00b"}]}}, 400, "items[0].channel: the channel name holds a control"),
        ({"content": b'{"items":' + b"[" * 200_000, "json": None}, 400, "items[0]: expected 'object', got 'array'"),
        ({"content": b'{"a":' + b"[" * 200_000, "json": None}, 400, "body: the JSON is nested too deeply"),
        ({"headers": {"Accept": "text/html"}}, 406, "the answer is text or JSON; accept text/plain"),
    ],
)
def test_a_refusal_is_one_line_with_its_cause_and_cure(
    http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener, how: Any, status: int, told: str
):
    answer = publish(http, realm, {"channel": channel, "json-object": "refused"}, **how)

    assert answer.status_code == status
    assert answer.text.replace(realm.realm, "…").startswith(told)
    assert answer.text.count("\n") == 1
    assert_nothing_came(http, realm, channel, listener)


def test_one_wrong_item_keeps_all_of_its_request_back(
    http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener
):
    answer = publish(http, realm, {"channel": channel, "json-object": "refused"}, {"channel": channel})

    formats = "json-object, http-stream, http-response, ws-message, http-request, xmpp-stanza"
    assert (answer.status_code, answer.text) == (400, f"items[1]: has no format; add one of {formats}\n")
    assert_nothing_came(http, realm, channel, listener)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_another_method_is_refused(http: httpx.Client, realm: ProductRealm, method: str):
    answer = http.request(method, f"{realm.api}/publish/", auth=realm.auth)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")


def test_a_page_may_ask_first(http: httpx.Client, realm: ProductRealm):
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "POST"}

    answer = http.options(f"{realm.api}/publish/", headers=asked)

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")


def test_an_expired_token_is_told_so(http: httpx.Client, realm: ProductRealm, channel: str):
    answer = publish(http, realm, {"channel": channel, "json-object": 1}, **bearer(token(realm, exp_in_s=-600)))

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer, Basic realm="fanout"')
    assert answer.text.startswith("the token expired 10 minutes ago; check the clock")


CROSSINGS: dict[str, tuple[int, Callable[[ProductRealm, ProductRealm], dict[str, Any]]]] = {
    "basic": (403, lambda own, _: {"auth": own.auth}),
    "own key under the other's name": (401, lambda own, other: {"auth": (other.realm, own.key)}),
    "the other's name as key": (401, lambda _, other: {"auth": (other.realm, other.realm)}),
    "token": (403, lambda own, _: bearer(token(own))),
    "token in the other's name": (401, lambda own, other: bearer(token(own, iss=other.realm))),
    "token without a signature": (
        401,
        lambda _, other: bearer(jwt.encode({"iss": other.realm, "exp": 4102444800}, None, algorithm="none")),
    ),
    "key": (401, lambda own, _: bearer(own.key)),
    "nothing": (401, lambda _own, _other: {"auth": None}),
}


@pytest.mark.parametrize("way", CROSSINGS)
def test_no_credential_of_a_realm_opens_another(
    http: httpx.Client,
    realm: ProductRealm,
    foreign_realm: ProductRealm,
    channel: str,
    listener: Listener,
    way: str,
):
    status, make = CROSSINGS[way]

    answer = publish(http, realm, {"channel": channel, "json-object": "stolen"}, **make(foreign_realm, realm))

    assert answer.status_code == status
    assert_nothing_came(http, realm, channel, listener)


def test_two_realms_use_the_same_channel_without_meeting(
    http: httpx.Client, realm: ProductRealm, foreign_realm: ProductRealm, channel: str, listener: Listener
):
    assert publish(http, foreign_realm, {"channel": channel, "json-object": "Charlie's"}).status_code == 200

    assert_nothing_came(http, realm, channel, listener)


# -- sizes and speeds


@pytest.mark.parametrize("is_streamed", [False, True])
def test_who_sends_ten_megabytes_gets_to_see_the_refusal(http: httpx.Client, realm: ProductRealm, is_streamed: bool):
    pieces = [b"x" * 100_000] * 100

    answer = http.post(
        f"{realm.api}/publish/", content=iter(pieces) if is_streamed else b"".join(pieces), auth=realm.auth
    )

    assert answer.status_code == 413
    assert answer.text.startswith("the body is larger than 1,000,000 bytes; ")


def test_almost_a_megabyte_arrives(http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener):
    text = "x" * 990_000

    assert publish(http, realm, {"channel": channel, "json-object": text}).status_code == 200
    assert listener.take() == [text]


def test_who_asks_before_sending_is_told_to_go_on(product: Product, realm: ProductRealm, channel: str):
    request = request_to_publish(realm, {"channel": channel, "json-object": 1}, Expect="100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    with connect(product.port) as wire:
        wire.send(head + b"\r\n\r\n")
        assert wire.read_answer().status == 100
        wire.send(body)

        assert wire.read_answer().text == "Published\n"


def test_who_asks_before_sending_too_much_is_refused_at_once(product: Product, realm: ProductRealm):
    with connect(product.port) as wire:
        wire.send(head_of(realm, Content_Length="1000001", Expect="100-continue"))

        assert wire.read_answer().status == 413
        assert wire.is_closed_by_server()


# -- connections


def test_requests_sent_without_waiting_are_answered_in_order(
    product: Product, realm: ProductRealm, channel: str, listener: Listener
):
    requests = [request_to_publish(realm, {"channel": channel, "json-object": n}) for n in range(20)]
    requests.insert(10, request_to_publish(realm))
    with connect(product.port) as wire:
        wire.send(b"".join(requests))
        answers = [wire.read_answer() for _ in requests]

    assert [answer.status for answer in answers] == [200] * 10 + [400] + [200] * 10
    assert listener.take(20) == list(range(20))


def test_the_absolute_form_of_a_proxy_client_is_understood(
    product: Product, realm: ProductRealm, channel: str, listener: Listener
):
    target = f"http://api.fanout.io/realm/{realm.realm}/publish/"
    item = {"channel": channel, "json-object": 1}
    with connect(product.port) as wire:
        wire.send(request_to_publish(realm, item, target=target, Host="api.fanout.io", Proxy_Connection="keep-alive"))

        assert wire.read_answer().text == "Published\n"
    assert listener.take() == [1]


def test_a_client_that_leaves_in_the_middle_of_a_body_publishes_nothing(
    product: Product, http: httpx.Client, realm: ProductRealm, channel: str, listener: Listener
):
    request = request_to_publish(realm, {"channel": channel, "json-object": "half"})
    with connect(product.port) as wire:
        wire.send(request[:-5])

    assert_nothing_came(http, realm, channel, listener)
