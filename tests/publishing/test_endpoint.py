"""The publish endpoint: every rung of its ladder, and what is stored."""

import json

import pytest

from fanoutcloud.core.directory import Rate, RealmSnapshot
from fanoutcloud.core.names import RealmId
from publishing.endpoint import MAX_DISCARDED_BYTES, find_target
from realms.directory import CachedRealmDirectory
from tests.fakes.broker import BrokerThatIsDown
from tests.fakes.clock import SteppedClock
from tests.publishing.asgi import MAX_BODY_BYTES, Answer, Endpoint
from tests.publishing.credentials import (
    ALICE,
    ALICE_KEY,
    CHARLIE,
    CHARLIE_KEY,
    FAR_AWAY,
    basic,
    bearer,
    key_text,
    realm_of,
)

HELLO = {"channel": "hello", "json-object": {"text": "hi"}}
JSON = {"Accept": "application/json"}


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


# -- it works


@pytest.mark.parametrize(
    "authorization",
    [
        basic(ALICE, ALICE_KEY),
        bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY),
        b"Bearer " + key_text(ALICE_KEY).encode(),
    ],
    ids=["basic", "token", "key"],
)
async def test_an_item_is_stored_before_the_answer(endpoint: Endpoint, authorization: bytes):
    answer = await endpoint.publish(HELLO, authorization=authorization)

    assert (answer.status, answer.text) == (200, "Published\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert await endpoint.stored() == [b'{"text": "hi"}']


async def test_items_of_a_request_are_stored_in_order_each_in_its_channel(endpoint: Endpoint):
    await endpoint.publish(*({"channel": f"c{n % 2}", "json-object": n} for n in range(10)))

    assert await endpoint.stored("c0") == [b"0", b"2", b"4", b"6", b"8"]
    assert await endpoint.stored("c1") == [b"1", b"3", b"5", b"7", b"9"]


async def test_an_id_that_was_seen_is_answered_the_same_and_stored_once(endpoint: Endpoint):
    answers = [await endpoint.publish({**HELLO, "id": "18"}) for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert len(await endpoint.stored()) == 1


async def test_the_body_may_come_in_pieces(endpoint: Endpoint):
    body = json.dumps({"items": [HELLO]}).encode()

    answer = await endpoint.call(*(body[at : at + 1] for at in range(len(body))))

    assert answer.status == 200
    assert len(await endpoint.stored()) == 1


async def test_realms_do_not_share_channels(endpoint: Endpoint):
    await endpoint.publish(HELLO)

    assert await endpoint.stored(realm=CHARLIE) == []


@pytest.mark.parametrize(
    ("accept", "media_type", "body"),
    [
        ("application/json", "application/json", '{"message":"Published"}\n'),
        ("application/json; charset=utf-8", "application/json", '{"message":"Published"}\n'),
        ("Application/JSON", "application/json", '{"message":"Published"}\n'),
        ("application/*", "application/json", '{"message":"Published"}\n'),
        ("text/plain", "text/plain; charset=utf-8", "Published\n"),
        ("text/*", "text/plain; charset=utf-8", "Published\n"),
        ("application/json, text/plain, */*", "text/plain; charset=utf-8", "Published\n"),
        ("text/html, application/json", "application/json", '{"message":"Published"}\n'),
        ("", "text/plain; charset=utf-8", "Published\n"),
    ],
)
async def test_the_answer_is_json_for_who_takes_neither_text_nor_anything(
    endpoint: Endpoint, accept: str, media_type: str, body: str
):
    answer = await endpoint.publish(HELLO, headers={"Accept": accept})

    assert (answer.status, answer.headers["content-type"], answer.text) == (200, media_type, body)


# -- paths


@pytest.mark.parametrize(
    ("path", "channel"),
    [
        ("publish", None),
        ("publish/", None),
        ("publish/hello", "hello"),
        ("publish/hello/", "hello"),
        ("publish/room%2F7/", "room/7"),
        ("publish/room/7/", "room/7"),
        ("publish/room/7", "room/7"),
        ("publish/a%20b%25/", "a b%"),
        ("publish/gr%C3%BC%C3%9Fe/", "grüße"),
        ("publish/grüße/", "grüße"),
        ("publish/+open/", "+open"),
    ],
)
def test_a_path_names_its_realm_and_perhaps_a_channel(path: str, channel: str | None):
    target = find_target(f"/realm/{ALICE}/{path}".encode())

    assert target is not None
    assert (target.realm, target.channel) == (ALICE, channel and channel.encode())


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/realm/", "/realm/0a1b2c3d", "/realm/0a1b2c3d/", "/realm/0a1b2c3d/publishing/", "/realm//publish/"),
        *("/realm/a%20b/publish/", "/realm/é/publish/", "/realm/a/b/publish/", "/x/realm/0a1b2c3d/publish/"),
        *("/realm/0a1b2c3d/channel/publish", f"/realm/{'x' * 65}/publish/"),
    ],
)
def test_other_paths_are_none_of_ours(path: str):
    assert find_target(path.encode()) is None


@pytest.mark.parametrize("path", ["publish/room%2F7/", "publish/room/7/", "publish/room/7"])
async def test_the_channel_of_the_path_is_published_to(endpoint: Endpoint, path: str):
    answer = await endpoint.publish({"json-object": 1}, path=f"/realm/{ALICE}/{path}")

    assert answer.status == 200
    assert await endpoint.stored("room/7") == [b"1"]


@pytest.mark.parametrize("name", ["%00", "a%0Ab", "x" * 513, "%FF", "%C3%28", "%ED%A0%80"])
async def test_a_path_that_names_no_possible_channel_is_refused(endpoint: Endpoint, name: str):
    answer = await endpoint.publish({"json-object": 1}, path=f"/realm/{ALICE}/publish/{name}/", headers=JSON)

    assert (answer.status, answer.error["field"]) == (400, "path")


# -- credentials


def assert_is_refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.error["code"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        (None, 401, "no_credential"),
        (b"", 401, "no_credential"),
        (b"Digest x", 401, "bad_credential"),
        (basic(ALICE, CHARLIE_KEY), 401, "wrong_key"),
        (b"Bearer " + key_text(CHARLIE_KEY).encode(), 401, "wrong_key"),
        (bearer(CHARLIE_KEY, iss=ALICE, exp=FAR_AWAY), 401, "wrong_key"),
        (bearer(ALICE_KEY, iss=ALICE, exp=1), 401, "token_expired"),
        (basic(CHARLIE, CHARLIE_KEY), 403, "forbidden"),
        (bearer(CHARLIE_KEY, iss=CHARLIE, exp=FAR_AWAY), 403, "forbidden"),
    ],
)
async def test_without_a_key_of_the_realm_nothing_is_stored(
    endpoint: Endpoint, authorization: bytes | None, status: int, code: str
):
    answer = await endpoint.publish(HELLO, authorization=authorization, headers=JSON)

    assert_is_refused(answer, status, code)
    assert await endpoint.stored() == []
    assert await endpoint.stored(realm=CHARLIE) == []


async def test_an_unknown_realm_looks_like_a_wrong_key(endpoint: Endpoint):
    wrong = await endpoint.publish(HELLO, authorization=basic(ALICE, CHARLIE_KEY))
    unknown = await endpoint.publish(
        HELLO, authorization=basic("deadbeef", CHARLIE_KEY), path="/realm/deadbeef/publish/"
    )

    assert unknown.text.replace("deadbeef", ALICE) == wrong.text
    assert unknown.headers["www-authenticate"] == wrong.headers["www-authenticate"]


async def test_publishing_costs_no_query():
    loads: list[RealmId] = []

    async def load(realm: RealmId) -> RealmSnapshot:
        loads.append(realm)
        return realm_of(realm, ALICE_KEY)

    directory = CachedRealmDirectory(load, SteppedClock())
    endpoint = Endpoint(directory=directory)
    for number in range(50):
        answer = await endpoint.publish(HELLO, authorization=bearer(ALICE_KEY, iss=ALICE, exp=FAR_AWAY + number))
        assert answer.status == 200
    await directory.aclose()

    assert loads == [ALICE]


# -- bad input


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "invalid_request", "body"),
        (b"hello", "invalid_request", "body"),
        (b"\xff", "invalid_request", "body"),
        (b"{}", "invalid_request", "body"),
        (b'{"items":5}', "invalid_request", "items"),
        (b'{"items":[]}', "invalid_request", "items"),
        (b'{"items":[{"json-object":1}]}', "invalid_item", "items[0]"),
        (b'{"items":[{"channel":"hello","json-object":1},{"channel":"hello"}]}', "invalid_item", "items[1]"),
        (b'{"items":[{"channel":"hello","json-object":1},{"channel":""}]}', "invalid_item", "items[1].channel"),
        (b'{"items":[{"channel":"hello","formats":{}}]}', "invalid_item", "items[0].formats"),
        (b'{"items":[{"channel":"hello","http-stream":{}}]}', "invalid_item", "items[0].http-stream"),
    ],
)
async def test_bad_input_is_refused_with_its_place_and_nothing_is_stored(
    endpoint: Endpoint, body: bytes, code: str, field: str
):
    answer = await endpoint.call(body, headers=JSON)

    assert (answer.status, answer.error["code"], answer.error["field"]) == (400, code, field)
    assert answer.error["message"].startswith(f"{field}: ")
    assert await endpoint.stored() == []


async def test_as_text_a_refusal_is_one_line_with_problem_and_cure(endpoint: Endpoint):
    answer = await endpoint.publish({"json-object": 1})

    assert answer.text == 'items[0]: has no channel; add "channel": "NAME"\n'
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "BREW"])
async def test_another_method_is_refused_with_those_that_are_allowed(endpoint: Endpoint, method: str):
    answer = await endpoint.publish(HELLO, method=method)

    assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
    assert await endpoint.stored() == []


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml"])
async def test_who_takes_neither_text_nor_json_is_refused(endpoint: Endpoint, accept: str):
    answer = await endpoint.publish(HELLO, headers={"Accept": accept})

    assert answer.status == 406
    assert await endpoint.stored() == []


async def test_a_page_may_ask_first(endpoint: Endpoint):
    answer = await endpoint.call(method="OPTIONS", authorization=None)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type"


@pytest.mark.parametrize("authorization", [basic(ALICE, ALICE_KEY), None], ids=["accepted", "refused"])
async def test_a_page_may_read_every_answer(endpoint: Endpoint, authorization: bytes | None):
    answer = await endpoint.publish(HELLO, authorization=authorization)

    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


# -- limits


def body_of_size(size: int) -> bytes:
    empty = b'{"items":[{"channel":"hello","json-object":""}]}'
    return empty.replace(b'""', b'"' + b"x" * (size - len(empty)) + b'"')


async def test_a_body_at_the_limit_is_taken(endpoint: Endpoint):
    answer = await endpoint.call(body_of_size(MAX_BODY_BYTES))

    assert answer.status == 200


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_larger_body_is_refused_after_it_was_read(endpoint: Endpoint, is_streamed: bool):
    body = body_of_size(MAX_BODY_BYTES + 1)
    headers = JSON if is_streamed else {**JSON, "Content-Length": str(len(body))}

    answer = await endpoint.call(*(body[at : at + 1000] for at in range(0, len(body), 1000)), headers=headers)

    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"
    assert await endpoint.stored() == []


async def test_a_body_that_does_not_end_is_given_up(endpoint: Endpoint):
    megabyte = b"x" * 1_000_000

    answer = await endpoint.call(*[megabyte] * (MAX_DISCARDED_BYTES // 1_000_000 + 1), ends="silent")

    assert answer.status == 413


async def test_who_asks_before_sending_too_much_is_told_at_once(endpoint: Endpoint):
    headers = {"Content-Length": str(MAX_BODY_BYTES + 1), "Expect": "100-continue"}

    answer = await endpoint.call(headers=headers, ends="silent")

    assert answer.status == 413


async def test_a_body_that_stops_in_the_middle_is_given_up():
    endpoint = Endpoint(body_timeout_s=0.05)

    answer = await endpoint.call(b'{"items":[', ends="silent", headers=JSON)

    assert (answer.status, answer.error["field"]) == (400, "body")
    assert answer.headers["connection"] == "close"


async def test_a_client_that_leaves_in_the_middle_stores_nothing(endpoint: Endpoint):
    await endpoint.call(json.dumps({"items": [HELLO]}).encode(), ends="left")

    assert await endpoint.stored() == []


async def test_too_fast_is_refused_with_when_to_come_back():
    endpoint = Endpoint(rate=Rate(per_s=1, burst=2))
    await endpoint.publish(HELLO, HELLO)

    answer = await endpoint.publish(HELLO, HELLO, headers=JSON)

    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (429, "rate_limited", "2")
    assert len(await endpoint.stored()) == 2


async def test_a_broker_that_is_down_is_told_with_when_to_come_back():
    broker = BrokerThatIsDown(SteppedClock())
    endpoint = Endpoint(broker=broker)

    answer = await endpoint.publish(HELLO, headers=JSON)

    assert (answer.status, answer.error["code"], answer.headers["retry-after"]) == (503, "unavailable", "3")
    assert broker.attempts == 1


async def test_bad_items_do_not_count_against_the_rate():
    endpoint = Endpoint(rate=Rate(per_s=1, burst=1))
    await endpoint.publish({"json-object": 1})

    answer = await endpoint.publish(HELLO)

    assert answer.status == 200


# -- what the owner sees


async def test_nobody_watching_costs_no_events(endpoint: Endpoint):
    await endpoint.publish(HELLO)
    await endpoint.publish(HELLO, authorization=None)

    assert endpoint.activity.events == []
