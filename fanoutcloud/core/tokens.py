"""Subscriber tokens: JWTs that a customer's server signs and an edge checks (docs/topics/access.md). Pure.

A token is checked in steps, in one order, by `verify_token` and by the token doctor alike: form, algorithm, key,
signature, claims, realm, times. The algorithm picks the kind of key before any key is tried, so a public key is never
used as an HMAC secret, and `none` is no algorithm. Source: RFC 7515, RFC 7519, RFC 8725 §3.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from fanoutcloud.core.access import Grant
from fanoutcloud.core.claims import Claims, TokenRefused, is_text, parse_claims, quote_short, span
from fanoutcloud.core.directory import PublicKey, RealmKey, RealmSnapshot
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.public_keys import ALGORITHMS, MAX_PUBLIC_KEYS, verify_with

#: A URL with it still passes every proxy.
MAX_TOKEN_BYTES = 8192
MAX_KID_CHARACTERS = 256
#: Clocks may differ this much from ours.
CLOCK_SKEW_S = 60.0
#: Revocations are kept this long, so no token may hold longer.
MAX_LIFETIME_S = 31 * 86_400.0

_PART = re.compile(r"[A-Za-z0-9_-]*\Z")
_OFFERED = "HS256, RS256, ES256 or EdDSA"


class _Header(msgspec.Struct):
    alg: str
    kid: str | int | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64: bool = True  # RFC 7797, which needs `crit`


_header_decoder = msgspec.json.Decoder(_Header)


@dataclass(frozen=True, slots=True)
class ParsedToken:
    """A token taken apart; nothing of it is proven."""

    algorithm: str
    kid: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def parse_token(text: str) -> ParsedToken:
    """Take a token apart.

    Raises:
        TokenRefused: it is too long, or no JWS in compact form (RFC 7515 §3.1).
    """
    if len(text) > MAX_TOKEN_BYTES:
        raise TokenRefused(
            "token_too_large",
            f"the token has {len(text):,} characters; {MAX_TOKEN_BYTES:,} are allowed",
            cure="name fewer channels, use patterns such as orders.*, or a smaller info",
        )
    parts = text.split(".")
    if len(parts) == 5:
        raise _no_jwt("the token is encrypted (JWE)", "sign it only: header.claims.signature")
    if len(parts) != 3 or not parts[0]:
        raise _no_jwt(
            "the token is no JWT: it does not have three parts with two dots between", "make it with a library"
        )
    head, payload, signature = (_decode_part(part, place) for part, place in zip(parts, _PLACES, strict=True))
    header = _read_header(head)
    kid = None if header.kid is None else str(header.kid)
    if kid is not None and not is_text(kid, MAX_KID_CHARACTERS):
        raise TokenRefused(
            "bad_token", "this is no key id", cure=f"use at most {MAX_KID_CHARACTERS} printable characters", claim="kid"
        )
    return ParsedToken(header.alg, kid, payload, f"{parts[0]}.{parts[1]}".encode(), signature)


_PLACES = ("header", "claims", "signature")


def _decode_part(part: str, place: str) -> bytes:
    """Return the bytes of one part: Base64 with `-` and `_`, without `=` (RFC 7515 §2)."""
    if not _PART.match(part) or len(part) % 4 == 1:
        raise TokenRefused(
            "bad_token",
            "this part of the token is not Base64url",
            cure="copy the whole token, without blanks and quotes; in it - and _ stand for + and /, and no = follows",
            claim=place,
        )
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _read_header(raw: bytes) -> _Header:
    try:
        header = _header_decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise TokenRefused(
            "bad_token",
            "the token's header is no JSON object with 'alg'",
            cure="make it with a JWT library",
            claim="header",
        ) from None
    if header.crit is not msgspec.UNSET or not header.b64:
        raise TokenRefused(
            "bad_token",
            "the header asks for extensions that are not offered",
            cure="leave out crit and b64",
            claim="crit",
        )
    return header


def _no_jwt(message: str, cure: str) -> TokenRefused:
    return TokenRefused("bad_token", message, cure=cure)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys that a token may be signed with: of one kind, by the token's algorithm."""

    secrets: Sequence[RealmKey] = ()
    public: Sequence[PublicKey] = ()


def choose_keys(token: ParsedToken, realm: RealmSnapshot) -> SigningKeys:
    """Return the realm's keys that can have signed the token: the one that `kid` names, or all of its kind.

    Raises:
        TokenRefused: the algorithm is not offered (`wrong_algorithm`), or the realm has no such key (`unknown_key`).
    """
    if token.algorithm == "HS256":
        secrets = [key for key in realm.keys if token.kid in (None, key.key_id)]
        if not secrets:
            raise _unknown_key(token, realm.realm, "copy the key's id from the realm's page, or leave kid out")
        return SigningKeys(secrets=secrets)
    if token.algorithm not in ALGORITHMS:
        is_none = token.algorithm.lower() == "none"
        raise TokenRefused(
            "wrong_algorithm",
            "the token is not signed" if is_none else f"the algorithm {quote_short(token.algorithm)} is not offered",
            cure=f"sign it with {_OFFERED}",
            claim="alg",
        )
    public = [key for key in realm.public_keys if key.algorithm == token.algorithm and token.kid in (None, key.kid)]
    if not public:
        raise _unknown_key(
            token, realm.realm, f"add the public key on the realm's tokens page ({token.algorithm}), or sign with HS256"
        )
    return SigningKeys(public=public[:MAX_PUBLIC_KEYS])


def _unknown_key(token: ParsedToken, realm: RealmId, cure: str) -> TokenRefused:
    named = "" if token.kid is None else f" with the id {quote_short(token.kid)}"
    return TokenRefused("unknown_key", f"realm {realm} has no {token.algorithm} key{named}", cure=cure, claim="kid")


def check_signature(token: ParsedToken, keys: SigningKeys) -> RealmKey | PublicKey:
    """Return the key that signed the token.

    Raises:
        TokenRefused: none of them did (`wrong_key`).
    """
    for secret in keys.secrets:
        if _is_signed_with(token, secret.secret):
            return secret
    for public in keys.public:
        if verify_with(public, token.signed, token.signature):
            return public
    if any(_is_signed_with(token, base64.b64encode(key.secret)) for key in keys.secrets):
        raise TokenRefused(
            "wrong_key",
            "the token is signed with the key's text",
            cure="decode the key from Base64 and sign with those bytes",
            claim="signature",
        )
    raise TokenRefused(
        "wrong_key",
        "the signature is of no key of this realm"
        if token.kid is None
        else "the signature is not of the key that kid names",
        cure="sign with the decoded bytes of the realm's key, or with the private key of a public key that is listed",
        claim="signature",
    )


def _is_signed_with(token: ParsedToken, secret: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, token.signed, hashlib.sha256), token.signature)


def check_issuer(claims: Claims, realm: RealmId, key: RealmKey | PublicKey) -> None:
    """Check that the token is meant for this realm: no `iss`, the realm's id, or the issuer set beside a public key.

    Raises:
        TokenRefused: it is another one's (`wrong_realm`).
    """
    expected = key.issuer if isinstance(key, PublicKey) and key.issuer else None
    if claims.issuer in ((expected,) if expected else (None, realm)):
        return
    found = "no issuer" if claims.issuer is None else f"the issuer {quote_short(claims.issuer)}"
    cure = f"set iss to {expected}" if expected else f"set iss to {realm}, or leave it out"
    raise TokenRefused("wrong_realm", f"the token names {found}; this is realm {realm}", cure=cure, claim="iss")


def check_times(claims: Claims, now: float) -> None:
    """Check that the token holds at `now`, give or take `CLOCK_SKEW_S`.

    Raises:
        TokenRefused: not any more (`token_expired`), not yet (`token_not_yet_valid`), or for too long (`bad_token`).
    """
    clocks = "compare the clock of the machine that makes tokens with ours"
    if claims.expires_at + CLOCK_SKEW_S <= now:
        raise TokenRefused(
            "token_expired",
            f"the token expired {span(now - claims.expires_at)} ago",
            cure=f"make a new token, or {clocks}",
            claim="exp",
        )
    if claims.expires_at > now + MAX_LIFETIME_S + CLOCK_SKEW_S:
        raise TokenRefused(
            "bad_token",
            f"the token holds for {span(claims.expires_at - now)}; {MAX_LIFETIME_S / 86_400:.0f} days are allowed",
            cure="use seconds since 1970, say an hour ahead, and refresh the token",
            claim="exp",
        )
    for name, moment in (("nbf", claims.not_before), ("iat", claims.issued_at)):
        if moment is not None and moment > now + CLOCK_SKEW_S:
            raise TokenRefused(
                "token_not_yet_valid", f"the token begins to hold in {span(moment - now)}", cure=clocks, claim=name
            )


def check_revoked(claims: Claims, realm: RealmSnapshot, key_id: str) -> None:
    """Check that the token was not taken back.

    Raises:
        TokenRefused: it was (`token_revoked`).
    """
    if realm.revocations and realm.revocations.covers(make_grant(claims, key_id)):
        raise token_revoked()


def token_revoked() -> TokenRefused:
    """Return the error of a token that was taken back."""
    return TokenRefused("token_revoked", "the token was revoked", cure="sign in again and get a new token")


def make_grant(claims: Claims, key_id: str) -> Grant:
    """Return what the token with these claims gives to who brings it."""
    return Grant(
        user=claims.user,
        info=claims.info,
        token_id=claims.token_id,
        key_id=key_id,
        expires_at=claims.expires_at,
        permissions=claims.permissions,
        issued_at=claims.issued_at,
    )


def verify_token(text: str, realm: RealmSnapshot, *, now: float) -> Grant:
    """Return what the token gives, if a key of `realm` signed it and it holds at `now`.

    Raises:
        TokenRefused: names the claim, the cause and the cure.
    """
    token = parse_token(text)
    key = check_signature(token, choose_keys(token, realm))
    claims = parse_claims(token.payload)
    check_issuer(claims, realm.realm, key)
    check_times(claims, now)
    check_revoked(claims, realm, key.key_id)
    return make_grant(claims, key.key_id)
