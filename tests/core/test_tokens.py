"""Tokens: what holds, and every way in which one does not, with its code and its place."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.directory import RealmKey
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.revocations import Revocations
from fanoutcloud.core.tokens import MAX_TOKEN_BYTES, verify_token
from tests.core.signed import (
    NOW,
    OTHER_SECRET,
    REALM,
    SECRET,
    claims,
    encode,
    public_jwk,
    public_keys,
    public_pem,
    sign,
    snapshot,
)


def refusal(token: str, *, now: float = NOW, **realm: Any) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        verify_token(token, snapshot(**realm), now=now)
    error = caught.value
    assert error.http_status == 401
    assert error.message
    assert error.cure
    assert len(token) < 60 or not any(part in str(error) for part in [token, *token.split(".")] if len(part) > 20)
    return error


def test_a_token_of_the_realms_key_gives_what_it_says() -> None:
    token = sign(
        claims(
            jti="t1",
            iss=REALM,
            iat=NOW - 5,
            nbf=NOW - 5,
            info={"name": "Alice", "n": 1.50},
            channels={"orders.*": ["subscribe", "publish"], "hello": ["*"]},
        ),
        kid="17",
    )

    grant = verify_token(token, snapshot(), now=NOW)

    assert (grant.user, grant.token_id, grant.key_id) == ("alice", "t1", "17")
    assert (grant.expires_at, grant.issued_at) == (NOW + 600, NOW - 5)
    assert json.loads(grant.info or b"") == {"name": "Alice", "n": 1.5}
    assert grant.allows("publish", ChannelName("orders.7"))
    assert not grant.allows("presence", ChannelName("orders.7"))
    assert grant.allows("presence", ChannelName("hello"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("has_kid", [True, False])
def test_a_token_of_a_public_key_holds(algorithm: str, has_kid: bool) -> None:
    realm = snapshot(public_keys=public_keys("RS256", "ES256", "EdDSA"))

    grant = verify_token(sign(claims(), algorithm=algorithm, kid=algorithm if has_kid else None), realm, now=NOW)

    assert grant.key_id == f"p1:{algorithm}"


def test_any_live_key_signs_when_kid_names_none() -> None:
    realm = snapshot(keys=(RealmKey("17", OTHER_SECRET), RealmKey("18", SECRET)))

    assert verify_token(sign(claims()), realm, now=NOW).key_id == "18"


# -- attacks


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
@pytest.mark.parametrize("signature", ["", encode(b"x" * 32)])
def test_a_token_without_signature_is_refused(algorithm: str, signature: str) -> None:
    head = encode(json.dumps({"alg": algorithm}).encode())
    token = f"{head}.{encode(json.dumps(claims()).encode())}.{signature}"

    assert refusal(token).code == "wrong_algorithm"


def test_a_signature_cut_off_is_refused() -> None:
    head, payload, _ = sign(claims()).split(".")

    assert refusal(f"{head}.{payload}.").code == "wrong_key"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_no_secret(algorithm: str) -> None:
    """The oldest trick: HS256, signed with the bytes of the public key that everybody has."""
    keys = public_keys(algorithm)
    jwk = public_jwk(algorithm, kid=algorithm)
    for secret in (
        public_pem(algorithm),
        public_pem(algorithm).strip(),
        json.dumps(jwk).encode(),
        keys[0].jwk.encode(),
    ):
        assert refusal(sign(claims(), secret=secret), public_keys=keys).code == "wrong_key"
        assert refusal(sign(claims(), secret=secret, kid=algorithm), public_keys=keys).code == "unknown_key"
        assert refusal(sign(claims(), secret=secret), public_keys=keys, keys=()).code == "unknown_key"


@pytest.mark.parametrize("claimed", ["RS256", "ES256", "EdDSA"])
def test_the_secret_signs_for_no_other_algorithm(claimed: str) -> None:
    head, payload = encode(json.dumps({"alg": claimed}).encode()), encode(json.dumps(claims()).encode())
    signature = sign(claims()).rpartition(".")[2]
    for realm in ({}, {"public_keys": public_keys(claimed)}):
        assert refusal(f"{head}.{payload}.{signature}", **realm).code in ("unknown_key", "wrong_key")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "RS384", "PS256", "ES512", "hs256", "HS256 ", "dir", "A128KW"])
def test_other_algorithms_are_refused_by_name(algorithm: str) -> None:
    error = refusal(sign(claims(), algorithm=algorithm), public_keys=public_keys("RS256"))

    assert (error.code, error.field) == ("wrong_algorithm", "token.alg")


@pytest.mark.parametrize(
    "header", [{"jwk": public_jwk("RS256")}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example"}]
)
def test_keys_that_a_token_brings_along_are_not_looked_at(header: dict[str, object]) -> None:
    assert refusal(sign(claims(), algorithm="RS256", **header)).code == "unknown_key"
    assert refusal(sign(claims(), algorithm="RS256", **header), public_keys=public_keys("ES256")).code == "unknown_key"


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": False}])
def test_extensions_are_refused(header: dict[str, object]) -> None:
    assert refusal(sign(claims(), **header)).field == "token.crit"


@pytest.mark.parametrize("kid", ["18", "", "../17", "17\x00", "1' or '1'='1", "x" * 300])
def test_a_kid_of_no_key_is_refused(kid: str) -> None:
    error = refusal(sign(claims(), kid=kid))

    assert error.code in ("unknown_key", "bad_token")
    assert error.field == "token.kid"


def test_a_kid_that_is_no_text_is_refused_or_read_as_its_number() -> None:
    assert verify_token(sign(claims(), kid=17), snapshot(), now=NOW).key_id == "17"  # type: ignore[arg-type]
    assert refusal(sign(claims(), kid={"a": 1})).code == "bad_token"  # type: ignore[arg-type]


def test_kid_chooses_the_key_and_no_other_is_tried() -> None:
    realm = {"keys": (RealmKey("17", OTHER_SECRET), RealmKey("18", SECRET))}

    assert refusal(sign(claims(), kid="17"), **realm).code == "wrong_key"


def test_signing_with_the_text_of_the_key_is_told() -> None:
    error = refusal(sign(claims(), secret=base64.b64encode(SECRET)))

    assert error.code == "wrong_key"
    assert "decode the key" in error.cure


# -- other realms


def test_another_realms_key_does_not_sign_here() -> None:
    assert refusal(sign(claims(), secret=OTHER_SECRET)).code == "wrong_key"
    assert refusal(sign(claims(iss=REALM), secret=OTHER_SECRET)).code == "wrong_key"


@pytest.mark.parametrize("issuer", ["ffffffff", "", "https://idp.example", REALM.upper(), REALM + " "])
def test_a_token_for_another_realm_is_refused(issuer: str) -> None:
    error = refusal(sign(claims(iss=issuer)))

    assert error.field == "token.iss"
    assert error.code == ("wrong_realm" if issuer else "bad_token")


def test_the_same_key_in_two_realms_does_not_carry_a_token_over() -> None:
    token = sign(claims(iss=REALM))

    assert refusal(token, realm=RealmId("ffffffff")).code == "wrong_realm"


def test_an_issuer_beside_a_public_key_must_be_the_tokens() -> None:
    keys = public_keys("RS256", issuer="https://idp.example/")
    good = sign(claims(iss="https://idp.example/"), algorithm="RS256")

    assert verify_token(good, snapshot(public_keys=keys), now=NOW).user == "alice"
    for other in (claims(), claims(iss=REALM), claims(iss="https://idp.example")):
        assert refusal(sign(other, algorithm="RS256"), public_keys=keys).code == "wrong_realm"


# -- time


@pytest.mark.parametrize(("late_s", "holds"), [(0, True), (59, True), (60, False), (3600, False)])
def test_an_expired_token_holds_for_the_difference_of_clocks(late_s: float, holds: bool) -> None:
    token = sign(claims(exp=NOW - late_s))
    if holds:
        assert verify_token(token, snapshot(), now=NOW).user == "alice"
    else:
        error = refusal(token)
        assert (error.code, error.field) == ("token_expired", "token.exp")


@pytest.mark.parametrize("name", ["nbf", "iat"])
@pytest.mark.parametrize(("early_s", "holds"), [(60, True), (61, False)])
def test_a_token_from_the_future_waits_for_it(name: str, early_s: float, holds: bool) -> None:
    token = sign(claims(**{name: NOW + early_s}))
    if holds:
        assert verify_token(token, snapshot(), now=NOW).user == "alice"
    else:
        error = refusal(token)
        assert (error.code, error.field) == ("token_not_yet_valid", f"token.{name}")


def test_a_token_must_not_hold_for_years() -> None:
    error = refusal(sign(claims(exp=NOW + 32 * 86_400)))

    assert (error.code, error.field) == ("bad_token", "token.exp")


# -- revocation


def test_a_revoked_token_is_refused() -> None:
    realm = {"revocations": Revocations(tokens=frozenset({"t1"}))}

    assert refusal(sign(claims(jti="t1")), **realm).code == "token_revoked"
    assert verify_token(sign(claims(jti="t2")), snapshot(**realm), now=NOW).token_id == "t2"


def test_a_revoked_users_tokens_are_refused_and_newer_ones_hold() -> None:
    realm = {"revocations": Revocations(users={"alice": NOW - 10})}

    assert refusal(sign(claims()), **realm).code == "token_revoked"
    assert refusal(sign(claims(iat=NOW - 10)), **realm).code == "token_revoked"
    assert verify_token(sign(claims(iat=NOW - 9)), snapshot(**realm), now=NOW).user == "alice"
    assert verify_token(sign(claims(sub="bob")), snapshot(**realm), now=NOW).user == "bob"


# -- form


@pytest.mark.parametrize(
    ("token", "field"),
    [
        ("", "token"),
        ("abc", "token"),
        ("..", "token"),
        ("a.b.c.d", "token"),
        ("a.b.c.d.e", "token"),
        ("Bearer x.y.z", "token.header"),
        ("e30=.e30.x", "token.header"),
        ("e30.e30.x+/", "token.signature"),
        ("e30.e30.", "token.header"),
        ("e30.e 30.", "token.claims"),
        ("\n.e30.e30", "token.header"),
        ("\u4e2d.e30.e30", "token.header"),
    ],
)
def test_what_is_no_jwt_names_the_part(token: str, field: str) -> None:
    error = refusal(token)

    assert (error.code, error.field) == ("bad_token", field)


def test_a_token_too_large_is_not_looked_at() -> None:
    error = refusal("a" * (MAX_TOKEN_BYTES + 1))

    assert error.code == "token_too_large"


@given(st.text(max_size=200))
def test_any_text_is_refused_with_our_error(text: str) -> None:
    assert refusal(text + "!").code == "bad_token"


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=80))
def test_any_three_parts_are_refused_with_our_error(head: bytes, payload: bytes, signature: bytes) -> None:
    error = refusal(f"{encode(head)}.{encode(payload)}.{encode(signature)}")

    assert error.code == "bad_token"
    assert (error.field or "").startswith("token")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_is_refused(place: int, change: int) -> None:
    parts = sign(claims(jti="t1")).split(".")
    raw = [bytearray(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts]
    which = place % 3
    raw[which][place % len(raw[which])] ^= change

    with pytest.raises(TokenRefused):
        verify_token(".".join(encode(bytes(part)) for part in raw), snapshot(), now=NOW)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_NAMES = st.sampled_from(["sub", "exp", "nbf", "iat", "iss", "jti", "info", "channels", "other"])


@given(st.dictionaries(_NAMES, _JSON, max_size=9))
def test_any_claims_give_a_grant_or_our_error(what: dict[str, object]) -> None:
    try:
        grant = verify_token(sign(what), snapshot(), now=NOW)
    except TokenRefused as error:
        place = error.field or ""
    else:
        assert grant.expires_at == what["exp"]
        place = "token"
    assert place.startswith("token")
