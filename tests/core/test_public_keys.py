"""Public keys of customers: which are taken, and that a secret one is refused with a warning."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.public_keys import MAX_KEY_SET_BYTES, MAX_PUBLIC_KEYS, parse_key_set
from tests.core.signed import PRIVATE, RSA_KEY, public_jwk


def refusal(what: object) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_key_set(what if isinstance(what, str) else json.dumps(what), source="p1")
    assert caught.value.cure
    return caught.value


@pytest.mark.parametrize("algorithm", list(PRIVATE))
def test_a_set_and_a_single_key_are_taken(algorithm: str) -> None:
    jwk = public_jwk(algorithm, kid="k1", use="sig", alg=algorithm)

    [of_set] = parse_key_set(json.dumps({"keys": [jwk]}), source="p1")
    [alone] = parse_key_set(json.dumps(jwk), source="p1")

    assert of_set == alone
    assert (of_set.key_id, of_set.kid, of_set.algorithm) == ("p1:k1", "k1", algorithm)


def test_keys_for_encryption_are_passed_over() -> None:
    keys = parse_key_set(json.dumps({"keys": [public_jwk("RS256", use="enc"), public_jwk("ES256")]}), source="p1")

    assert [key.algorithm for key in keys] == ["ES256"]


def _small_rsa() -> dict[str, object]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    return dict(RSAAlgorithm.to_jwk(key, as_dict=True))


def _other_curve() -> dict[str, object]:
    return dict(ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True))


@pytest.mark.parametrize(
    ("what", "field"),
    [
        ("", "keys"),
        ("{", "keys"),
        ("[" * 100_000, "keys"),
        ("x" * (MAX_KEY_SET_BYTES + 1), "keys"),
        ([], "keys"),
        ({"keys": []}, "keys"),
        ({"keys": {}}, "keys"),
        ({"keys": [1]}, "keys[0]"),
        ({"keys": [public_jwk("ES256", use="enc")]}, "keys"),
        ({"keys": [public_jwk("ES256")] * (MAX_PUBLIC_KEYS + 1)}, "keys"),
        ({"keys": [public_jwk("ES256"), {"kty": "RSA"}]}, "keys[1]"),
        ({"kty": "RSA", "n": "AA", "e": "AQAB"}, "keys[0]"),
        ({"kty": "RSA", "n": 5, "e": None}, "keys[0]"),
        ({"kty": ["RSA"]}, "keys[0]"),
        ({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}, "keys[0]"),
        ({"kty": "EC", "crv": ["P-256"]}, "keys[0]"),
        ({"kty": "OKP", "crv": "Ed25519", "x": "AA"}, "keys[0]"),
        ({"kty": "OKP", "crv": "X25519", "x": "AA"}, "keys[0]"),
        (_small_rsa(), "keys[0]"),
        (_other_curve(), "keys[0]"),
        (public_jwk("RS256", alg="RS512"), "keys[0]"),
        (public_jwk("RS256", alg="HS256"), "keys[0]"),
        (public_jwk("RS256", kid=7), "keys[0].kid"),
        (public_jwk("RS256", kid="a\nb"), "keys[0].kid"),
    ],
)
def test_what_can_not_be_used_is_named(what: object, field: str) -> None:
    assert refusal(what).field == field


@pytest.mark.parametrize("jwk", [{"kty": "oct", "k": "c2VjcmV0"}, dict(RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True))])
def test_a_secret_key_is_refused_with_a_warning(jwk: dict[str, object]) -> None:
    error = refusal(jwk)

    assert "secret" in error.message
    assert "replace" in error.cure


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_any_text_is_refused_with_our_error(text: str | bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_key_set(text, source="p1")
