"""What the owner of a realm sees of publishes that are refused, while watching."""

import pytest

from fanoutcloud.core.activity import Published, Refused
from tests.fakes.broker import BrokerThatIsDown
from tests.fakes.clock import SteppedClock
from tests.publishing.asgi import Endpoint
from tests.publishing.credentials import ALICE, ALICE_KEY, CHARLIE, CHARLIE_KEY, FAR_AWAY, basic, bearer, key_text

HELLO = {"channel": "hello", "json-object": {"text": "hi"}}


async def the_event(endpoint: Endpoint) -> Published | Refused:
    [(realm, event)] = endpoint.activity.events
    assert realm == ALICE
    assert isinstance(event, Published | Refused)
    return event


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(watched=[ALICE])


@pytest.mark.parametrize(
    ("how", "status", "code", "field"),
    [
        ({"authorization": None}, 401, "no_credential", None),
        ({"authorization": basic(ALICE, CHARLIE_KEY)}, 401, "wrong_key", None),
        ({"authorization": basic(CHARLIE, CHARLIE_KEY)}, 403, "forbidden", None),
        ({"authorization": bearer(ALICE_KEY, iss=ALICE, exp=1)}, 401, "token_expired", None),
        ({"method": "GET"}, 405, "method_not_allowed", None),
        ({"headers": {"Accept": "text/html"}}, 406, "not_acceptable", None),
        ({"path": f"/realm/{ALICE}/publish/%00/"}, 400, "invalid_request", "path"),
    ],
)
async def test_a_refusal_is_shown_with_cause_and_cure(
    endpoint: Endpoint, how: dict[str, object], status: int, code: str, field: str | None
):
    answer = await endpoint.publish(HELLO, **how)

    event = await the_event(endpoint)

    assert isinstance(event, Refused)
    assert (event.status, event.code, event.field) == (status, code, field)
    assert answer.status == status
    assert event.message
    assert event.cure
    assert (event.at, event.address) == (endpoint.clock.now(), "192.0.2.7")


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"{", "body"), (b'{"items":[{"channel":"a"}]}', "items[0]"), (b'{"items":[{"json-object":1}]}', "items[0]")],
)
async def test_bad_input_is_shown_with_its_place(endpoint: Endpoint, body: bytes, field: str):
    await endpoint.call(body)

    event = await the_event(endpoint)

    assert isinstance(event, Refused)
    assert (event.status, event.field) == (400, field)


async def test_a_broker_that_is_down_is_shown():
    endpoint = Endpoint(broker=BrokerThatIsDown(SteppedClock()), watched=[ALICE])
    await endpoint.publish(HELLO)

    event = await the_event(endpoint)

    assert isinstance(event, Refused)
    assert event.status == 503


@pytest.mark.parametrize(
    "authorization",
    [
        basic(ALICE, CHARLIE_KEY),
        basic(CHARLIE, CHARLIE_KEY),
        b"Bearer " + key_text(CHARLIE_KEY).encode(),
        f"{key_text(CHARLIE_KEY)} {ALICE}".encode(),
        f"{ALICE}:{key_text(CHARLIE_KEY)}".encode(),
        bearer(CHARLIE_KEY, iss=ALICE, exp=FAR_AWAY),
        bearer(CHARLIE_KEY, iss=key_text(CHARLIE_KEY), exp=FAR_AWAY),
    ],
)
async def test_an_event_never_holds_a_credential(endpoint: Endpoint, authorization: bytes):
    await endpoint.publish(HELLO, authorization=authorization)

    event = repr(await the_event(endpoint))

    for secret in (key_text(CHARLIE_KEY), key_text(ALICE_KEY), authorization.decode().split()[-1]):
        assert secret[:12] not in event
