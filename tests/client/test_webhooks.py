"""Webhooks are believed only with a signature that holds."""

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud_client.errors import BadSignature, InvalidRequest
from fanoutcloud_client.webhooks import verify_webhook

NOW = 1_735_689_600
BODY = b'{"type":"channel.message","data":{"n":1}}'
RAW_SECRET = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(RAW_SECRET).decode()
PRIVATE = Ed25519PrivateKey.from_private_bytes(RAW_SECRET)
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()
#: Standard Webhooks, and our reference of webhooks, §11.
V1 = "v1,cT8dJXbFouBB80MyEs0zsPmbZOYe5du0r3la9AX0KhQ="
V1A = "v1a,F4HNUbvJkEFpAipVUcIWSWRmIL2Q1EOIZAxlN0Lq0SeWYXBHIxZlK/ZSufT8ExSX9Bipj3ehXf38waGaGoAuAA=="


def headers(signature: str = V1, at: object = NOW) -> dict[str, str]:
    return {"Webhook-Id": "msg_test_0001", "webhook-timestamp": str(at), "WEBHOOK-SIGNATURE": signature}


@pytest.mark.parametrize(
    ("signature", "secrets"),
    [
        (V1, SECRET),
        (V1A, PUBLIC),
        (f"v1,AAAA {V1}", SECRET),
        (f"{V1A} v2,what {V1}", [PUBLIC]),
        (V1, ["whsec_AAAA", SECRET]),
    ],
)
def test_a_signature_that_holds_gives_the_event(signature: str, secrets: str | list[str]) -> None:
    event = verify_webhook(BODY, headers(signature), secrets, now=NOW + 10)

    assert (event.id, event.type, event.data) == ("msg_test_0001", "channel.message", {"n": 1})


@pytest.mark.parametrize(
    ("signature", "secrets"),
    [
        (V1, "whsec_AAAA"),
        (V1.replace("c", "d"), SECRET),
        (V1[:-4], SECRET),
        ("v1,", SECRET),
        (V1, PUBLIC),
        (V1A, SECRET),
    ],
)
def test_one_that_does_not_hold_is_refused(signature: str, secrets: str) -> None:
    with pytest.raises(BadSignature, match="no signature"):
        verify_webhook(BODY, headers(signature), secrets, now=NOW)


@pytest.mark.parametrize("off_s", [301, -301, 10**9])
def test_an_old_one_is_no_replay(off_s: int) -> None:
    with pytest.raises(BadSignature, match="300 s are allowed"):
        verify_webhook(BODY, headers(), SECRET, now=NOW + off_s)


@pytest.mark.parametrize("missing", ["Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE"])
def test_a_missing_header_is_named(missing: str) -> None:
    given = headers()
    del given[missing]

    with pytest.raises(BadSignature, match=missing.lower()):
        verify_webhook(BODY, given, SECRET, now=NOW)


@pytest.mark.parametrize("secret", ["whsec_ä", "whpk_AAAA"])
def test_a_secret_that_is_none_is_named(secret: str) -> None:
    with pytest.raises(InvalidRequest, match="no webhook secret"):
        verify_webhook(BODY, headers(f"{V1} {V1A}"), secret, now=NOW)


@given(st.binary(max_size=100), st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(body: bytes, place: int, change: int) -> None:
    changed = bytes(byte ^ change if at == place else byte for at, byte in enumerate(BODY))
    for text in (changed, body):
        with pytest.raises(BadSignature):
            verify_webhook(text, headers(), SECRET, now=NOW)


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_header_raises_anything_else(signature: str, at: str) -> None:
    with pytest.raises(BadSignature):
        verify_webhook(BODY, headers(signature, at), SECRET, now=NOW)


def test_a_signed_body_that_is_no_event_is_refused() -> None:
    text = b"[1]"
    made = base64.b64encode(hmac.digest(RAW_SECRET, b"msg_test_0001.%d." % NOW + text, hashlib.sha256)).decode()

    with pytest.raises(BadSignature, match="no JSON object"):
        verify_webhook(text, headers(f"v1,{made}"), SECRET, now=NOW)
