"""Tokens for tests, made by hand so that every part of them can be wrong."""

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from fanoutcloud.core.directory import PublicKey, RealmKey, RealmSnapshot, Retention
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.public_keys import parse_key_set

REALM = RealmId("0a1b2c3d")
NOW = 1_750_000_000.0
SECRET = b"s" * 32
OTHER_SECRET = b"o" * 32

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PRIVATE: dict[str, Any] = {"RS256": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}
_ALGORITHMS: dict[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public_jwk(algorithm: str, **more: object) -> dict[str, Any]:
    """Return the public key as a JWK."""
    jwk: dict[str, Any] = _ALGORITHMS[algorithm].to_jwk(PRIVATE[algorithm].public_key(), as_dict=True)
    jwk.pop("key_ops", None)
    return jwk | more


def public_pem(algorithm: str) -> bytes:
    return (
        PRIVATE[algorithm]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def public_keys(*algorithms: str, issuer: str = "") -> tuple[PublicKey, ...]:
    """Return public keys whose `kid` is their algorithm."""
    jwks = {"keys": [public_jwk(algorithm, kid=algorithm) for algorithm in algorithms]}
    return tuple(parse_key_set(json.dumps(jwks), source="p1", issuer=issuer))


def sign(
    claims: object = None, *, secret: bytes = SECRET, algorithm: str = "HS256", kid: str | None = None, **header: object
) -> str:
    """Return a token of these claims; without any, one that holds for ten minutes."""
    if claims is None:
        claims = {"exp": NOW + 600}
    head = {"alg": algorithm, "typ": "JWT"} | ({} if kid is None else {"kid": kid}) | header
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = f"{encode(json.dumps(head).encode())}.{encode(payload)}"
    if algorithm in PRIVATE:
        signature = _ALGORITHMS[algorithm].sign(signed.encode(), PRIVATE[algorithm])
    else:
        signature = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{encode(signature)}"


def claims(**more: object) -> dict[str, Any]:
    return {"sub": "alice", "exp": NOW + 600, **more}


def snapshot(**more: Any) -> RealmSnapshot:
    """Return a realm with one key, whose id is 17."""
    return RealmSnapshot(**({"realm": REALM, "keys": (RealmKey("17", SECRET),), "retention": Retention()} | more))
