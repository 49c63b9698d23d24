"""Subscriber tokens, made and read. That the server takes them is tried in test_clients.py."""

import base64

import jwt
import pytest

from fanoutcloud.core.claims import parse_claims
from fanoutcloud.core.tokens import parse_token
from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.tokens import Capability, make_token, read_token

SECRET = bytes(range(32))
KEY = base64.b64encode(SECRET).decode()


def test_a_token_is_a_jwt_that_other_libraries_verify() -> None:
    token = make_token(realm="r1", key=KEY, channels={"orders.*": ["subscribe"]}, user="alice", now=1000, info={"n": 1})

    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False})

    assert claims == {
        "iss": "r1",
        "iat": 1000,
        "exp": 4600,
        "sub": "alice",
        "info": {"n": 1},
        "channels": {"orders.*": ["subscribe"]},
    }


def test_the_server_reads_it_as_it_was_meant() -> None:
    token = make_token(realm="r1", key=KEY, channels={"a": ["publish", "presence"]}, token_id="t1", key_id="k1")

    parsed = parse_token(token)
    claims = parse_claims(parsed.payload)

    assert (parsed.kid, claims.token_id, claims.permissions[0].capabilities) == ("k1", "t1", {"publish", "presence"})


def test_whose_signature_it_is_can_be_told() -> None:
    contents = read_token(make_token(realm="r1", key=KEY, channels={}))

    assert contents.is_signed_by(KEY)
    assert not contents.is_signed_by(base64.b64encode(b"other").decode())
    assert 3590 < (contents.expires_in_s or 0) <= 3600


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c.d", "ä.b.c", "e30.W10.x", "bm8.bm8.bm8"])
def test_what_is_no_token_is_said_so(text: str) -> None:
    with pytest.raises(InvalidRequest, match="no JWT"):
        read_token(text)


@pytest.mark.parametrize(
    ("channels", "lifetime_s", "info", "field"),
    [
        ({"a": ["read"]}, 60, None, "channels"),
        ({"a": "subscribe"}, 60, None, "channels"),
        ({}, 0, None, "lifetime_s"),
        ({}, 32 * 86_400, None, "lifetime_s"),
        ({}, 60, "x" * 3000, "info"),
        ({f"channel-{n}" * 20: ["subscribe"] for n in range(90)}, 60, None, "channels"),
    ],
)
def test_what_the_server_would_refuse_is_refused_here(
    channels: dict[str, list[Capability]], lifetime_s: int, info: object, field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        make_token(realm="r1", key=KEY, channels=channels, lifetime_s=lifetime_s, info=info)

    assert raised.value.field.startswith(field)


def test_a_key_that_was_not_copied_whole_is_named() -> None:
    with pytest.raises(InvalidRequest, match="the key is not Base64"):
        make_token(realm="r1", key="abc", channels={})
