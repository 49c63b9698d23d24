"""What an inspector says of a signature: as a receiver would, and why."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from publishing.inspector.signatures import TOLERANCE_S, SignatureCheck, check_signature
from publishing.webhooks.signing import SigningKeys, private_key, show_secret, signature_headers

NOW = 1_735_689_600
SECRET, OLD = bytes(range(32)), bytes(range(1, 33))
KEYS = SigningKeys((SECRET, OLD), (private_key(SECRET),))
BODY = b'{"type":"webhook.test"}'


def signed(*, keys: SigningKeys = KEYS, at: int = NOW, **changes: str) -> dict[str, str]:
    return {**dict(signature_headers(keys, webhook_id="msg_1", timestamp=at, body=BODY)), **changes}


def judge(headers: dict[str, str], body: bytes = BODY) -> SignatureCheck:
    return check_signature(KEYS, headers=headers, body=body, now=NOW)


@pytest.mark.parametrize("keys", [KEYS, SigningKeys((OLD,)), SigningKeys((), (private_key(SECRET),))])
def test_any_live_secret_will_do(keys: SigningKeys) -> None:
    assert judge(signed(keys=keys)) == SignatureCheck("valid")


def test_what_the_library_signs_is_valid() -> None:
    signature = Webhook(show_secret(SECRET)).sign("msg_1", datetime.fromtimestamp(NOW, UTC), BODY.decode())

    assert judge(signed(**{"webhook-signature": signature})).verdict == "valid"


@pytest.mark.parametrize(
    ("headers", "body", "verdict", "words"),
    [
        ({}, BODY, "unsigned", "no signature"),
        (signed(), BODY + b" ", "invalid", "fits"),
        (signed(keys=SigningKeys((b"x" * 32,))), BODY, "invalid", "fits"),
        (signed(**{"webhook-id": "msg_2"}), BODY, "invalid", "fits"),
        (signed(**{"webhook-signature": "v1,é"}), BODY, "invalid", "fits"),
        (signed(**{"webhook-signature": ""}), BODY, "invalid", "webhook-signature is missing"),
        (signed(**{"webhook-timestamp": "soon"}), BODY, "invalid", "no number"),
        (signed(at=NOW - TOLERANCE_S - 1), BODY, "invalid", "5 minutes"),
        (signed(at=NOW + TOLERANCE_S + 1), BODY, "invalid", "5 minutes"),
    ],
)
def test_what_is_wrong_is_said(headers: dict[str, str], body: bytes, verdict: str, words: str) -> None:
    found = judge(headers, body)

    assert found.verdict == verdict
    assert words in found.problem
