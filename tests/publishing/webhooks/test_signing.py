"""Signatures, checked by the libraries that receivers use, unmodified; bodies and ids."""

import base64
import json
import time

import pytest
import standardwebhooks
import svix
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fanoutcloud.core.items import HttpRequest, Item
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.webhooks import HookEvent
from publishing.webhooks.bodies import batch_body, event_body, make_webhook_id
from publishing.webhooks.own_headers import headers_of_item
from publishing.webhooks.signing import (
    SigningKeys,
    new_secret,
    private_key,
    show_public_key,
    show_secret,
    sign,
    signature_headers,
)

BODY = b'{"type":"channel.message","data":{"n":1}}'
FIRST_32 = bytes(range(32))
EVENT = HookEvent(
    RealmId("4f7f6f9f"), "channel.message", "item:door:abc:7", 1_735_689_600.0, "door", "abc:7",
    Item(ChannelName("door"), id="a", json_object=b'{"open": 1.50}'),
)  # fmt: skip


def signed(keys: SigningKeys, body: bytes = BODY) -> dict[str, str]:
    return dict(signature_headers(keys, webhook_id="evt_1", timestamp=int(time.time()), body=body))


def test_the_vectors_of_the_reference():
    keys = SigningKeys((FIRST_32,), (private_key(FIRST_32),))

    assert sign(keys, webhook_id="msg_test_0001", timestamp=1735689600, body=BODY) == (
        "v1,cT8dJXbFouBB80MyEs0zsPmbZOYe5du0r3la9AX0KhQ= "
        "v1a,F4HNUbvJkEFpAipVUcIWSWRmIL2Q1EOIZAxlN0Lq0SeWYXBHIxZlK/ZSufT8ExSX9Bipj3ehXf38waGaGoAuAA=="
    )
    assert show_secret(FIRST_32) == "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert show_public_key(FIRST_32) == "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_receivers_libraries_accept_it_with_the_new_secret_and_with_the_old(library):
    new, old = new_secret(), new_secret()
    headers = signed(SigningKeys((new, old), (private_key(new),)))

    for secret in (new, old):
        assert library(show_secret(secret)).verify(BODY.decode(), headers) in (json.loads(BODY), None)  # or raises


@pytest.mark.parametrize(
    ("library", "problem"),
    [
        (standardwebhooks.Webhook, standardwebhooks.webhooks.WebhookVerificationError),
        (svix.Webhook, svix.webhooks.WebhookVerificationError),
    ],
)
def test_receivers_libraries_refuse_a_changed_body_another_id_and_an_old_call(library, problem):
    secret = new_secret()
    headers = signed(SigningKeys((secret,)))
    stale = dict(signature_headers(SigningKeys((secret,)), webhook_id="evt_1", timestamp=1735689600, body=BODY))

    for body, changed in (
        (BODY + b" ", headers),
        (BODY, headers | {"webhook-id": "evt_2"}),
        (BODY, stale),
        (BODY, signed(SigningKeys((new_secret(),)))),
    ):
        with pytest.raises(problem):
            library(show_secret(secret)).verify(body.decode(), changed)


def test_the_public_key_checks_v1a():
    seed = new_secret()
    headers = signed(SigningKeys((), (private_key(seed),)))
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(show_public_key(seed).removeprefix("whpk_")))
    mark = base64.b64decode(headers["webhook-signature"].removeprefix("v1a,"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()

    public.verify(mark, text + BODY)
    with pytest.raises(InvalidSignature):
        public.verify(mark, text + BODY + b" ")


def test_an_event_says_what_happened_when_and_where_with_the_publishers_digits():
    body = event_body(EVENT)

    assert json.loads(body) == {
        "type": "channel.message",
        "timestamp": "2025-01-01T00:00:00.000Z",
        "data": {
            "realm": "4f7f6f9f",
            "channel": "door",
            "items": [{"position": "abc:7", "id": "a", "data": {"open": 1.5}}],
        },
    }
    assert b"1.50" in body
    assert json.loads(batch_body([body, body]))["data"]["events"] == [json.loads(body)] * 2


def test_an_events_id_is_its_own():
    same = replace_event(EVENT, at=5.0)
    others = [replace_event(EVENT, key="item:door:abc:8"), replace_event(EVENT, realm=RealmId("00000000"))]

    assert make_webhook_id(EVENT) == make_webhook_id(same)
    assert len({make_webhook_id(event) for event in [EVENT, *others]}) == 3
    assert make_webhook_id(EVENT).replace("_", "").isalnum()


def test_a_publisher_sets_no_header_that_is_ours():
    names = ["X-Own", "Host", "Webhook-Id", "Content-Length", "X-Forwarded-For", "Fanout-Realm", "Content-Type"]
    item = Item(ChannelName("door"), http_request=HttpRequest(headers=tuple((name, "1") for name in names)))

    assert [name for name, _ in headers_of_item(item)] == ["X-Own", "Content-Type"]


def replace_event(event: HookEvent, **changes: object) -> HookEvent:
    return HookEvent(**({name: getattr(event, name) for name in HookEvent.__struct_fields__} | changes))  # type: ignore[arg-type]
