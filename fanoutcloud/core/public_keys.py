"""Customers' public keys: read from JWK sets, and used to check signatures (RFC 7517, RFC 7518, RFC 8037). Pure."""

import functools
import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from fanoutcloud.core.claims import is_text, quote_short
from fanoutcloud.core.directory import PublicKey
from fanoutcloud.core.errors import InvalidRequest

MAX_KEY_SET_BYTES = 65_536
#: Without `kid`, each costs an attempt when a token is first seen.
MAX_PUBLIC_KEYS = 20
MAX_KID_CHARACTERS = 256
MIN_RSA_BITS = 2048
#: A check takes 0.1 ms at this size and grows with its square: who may name keys must not buy our time.
MAX_RSA_BITS = 4096
MAX_RSA_EXPONENT = 2**32

_algorithms: dict[str, Algorithm] = {
    "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
    "ES256": ECAlgorithm(ECAlgorithm.SHA256),
    "EdDSA": OKPAlgorithm(),
}
ALGORITHMS = frozenset(_algorithms)
#: Type and curve of a JWK → the one algorithm that it is used with.
_ALGORITHM_OF = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}


class SecretKey(InvalidRequest):
    """A private or shared key where public ones belong."""

    code = "secret_key"


def parse_key_set(
    text: str | bytes, *, source: str, issuer: str = "", field: str = "keys", is_lenient: bool = False
) -> list[PublicKey]:
    """Return the public keys of a JWK set, or of one JWK. Keys for encryption are passed over.

    `is_lenient` passes over public keys that can't be used, too: a login may list some for others.
    `source` begins their `key_id`, by which they are told apart from keys of other sets.

    Raises:
        InvalidRequest: it is no JWK set, holds a private or shared key, or a key that can't be used; names the place.
    """
    listed = _list_jwks(text, field)
    keys = []
    for at, jwk in enumerate(listed):
        if isinstance(jwk, dict) and jwk.get("use") == "enc":
            continue
        try:
            keys.append(_read_jwk(jwk, source=source, issuer=issuer, place=f"{field}[{at}]"))
        except SecretKey:
            raise
        except InvalidRequest:
            if not is_lenient:
                raise
    if not keys:
        raise InvalidRequest("holds no key for signatures", cure="add a key with use: sig, or without use", field=field)
    return keys


def _list_jwks(text: str | bytes, field: str) -> list[object]:
    """Return what a JWK set lists, or one JWK alone."""
    if len(text) > MAX_KEY_SET_BYTES:
        raise InvalidRequest(
            f"has {len(text):,} bytes; {MAX_KEY_SET_BYTES:,} are allowed", cure="list fewer keys", field=field
        )
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidRequest("is no JSON", cure='paste a JWK set: {"keys":[…]}', field=field) from None
    listed = parsed.get("keys", [parsed]) if isinstance(parsed, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InvalidRequest("is no JWK set", cure='paste {"keys":[…]}, or one JWK', field=field)
    if len(listed) > MAX_PUBLIC_KEYS:
        raise InvalidRequest(
            f"has {len(listed)} keys; {MAX_PUBLIC_KEYS} are allowed", cure="leave old keys out", field=field
        )
    return listed


def _read_jwk(jwk: object, *, source: str, issuer: str, place: str) -> PublicKey:
    if not isinstance(jwk, dict):
        raise InvalidRequest("is no JWK", cure="use a JSON object with kty", field=place)
    if jwk.get("kty") == "oct" or _PRIVATE_MEMBERS & set(jwk):
        raise SecretKey(
            "this key is secret: whoever has it can make tokens",
            cure="paste the public key only, and replace this one, since it has been shown",
            field=place,
        )
    algorithm = _ALGORITHM_OF.get(
        (str(jwk.get("kty")), jwk.get("crv"))
        if jwk.get("crv") is None or isinstance(jwk.get("crv"), str)
        else ("", None)
    )
    if algorithm is None or jwk.get("alg", algorithm) != algorithm:
        raise InvalidRequest(
            f"a key of type {quote_short(str(jwk.get('kty')))}, curve {quote_short(str(jwk.get('crv')))},"
            f" algorithm {quote_short(str(jwk.get('alg')))} is not offered",
            cure="use RSA (RS256), EC with P-256 (ES256) or OKP with Ed25519 (EdDSA)",
            field=place,
        )
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and is_text(kid, MAX_KID_CHARACTERS)):
        raise InvalidRequest("this is no key id", cure="use printable text", field=f"{place}.kid")
    needed = {name: jwk[name] for name in ("kty", "crv", "n", "e", "x", "y") if name in jwk}
    text = json.dumps(needed, sort_keys=True)
    if _find_key(algorithm, text) is None:
        raise InvalidRequest(
            "the key's numbers can't be used",
            cure=f"check that it was copied whole; RSA keys have {MIN_RSA_BITS:,} to {MAX_RSA_BITS:,} bits",
            field=place,
        )
    return PublicKey(f"{source}:{kid or algorithm}", kid, algorithm, text, issuer)


@functools.lru_cache(maxsize=4096)
def _find_key(algorithm: str, jwk: str) -> Any:  # Any: a key of `cryptography`, another type for each algorithm
    """Return the key of a JWK, or None if it can't be used."""
    try:
        key: Any = _algorithms[algorithm].from_jwk(jwk)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, OverflowError):
        return None
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        is_fit = MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS and numbers.e < MAX_RSA_EXPONENT
        return key if is_fit else None
    return key


def verify_with(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    """Tell whether the holder of the private half signed these bytes."""
    opened = _find_key(key.algorithm, key.jwk)
    return opened is not None and bool(_algorithms[key.algorithm].verify(signed, opened, signature))
