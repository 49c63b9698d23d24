"""Making a subscriber token on the dashboard, to try things out. Customers' servers make their own."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence

from fanoutcloud.core.claims import TokenRefused, parse_claims
from fanoutcloud.core.tokens import MAX_LIFETIME_S, MAX_TOKEN_BYTES
from realms.errors import InvalidTokenClaims, KeyNotFound
from realms.models import ApiKey, Realm
from realms.sealing import open_sealed


def make_token(
    *, realm: Realm, user: str = "", channels: Mapping[str, Sequence[str]], lifetime_s: int = 3600, info: object = None
) -> str:
    """Return a token of these claims, signed with the oldest live key of the realm.

    Raises:
        InvalidTokenClaims: no token can say this; names the claim.
        KeyNotFound: the realm has no live key.
        SealBroken: the key can't be read any more.
    """
    if not 1 <= lifetime_s <= MAX_LIFETIME_S:
        raise InvalidTokenClaims("is out of range", cure=f"use 1 to {MAX_LIFETIME_S:,.0f} seconds", field="lifetime_s")
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": realm.pk,
        "iat": now,
        "exp": now + lifetime_s,
        "jti": secrets.token_hex(8),
        "channels": {name: list(capabilities) for name, capabilities in channels.items()},
    }
    claims |= {"sub": user} if user else {}
    claims |= {} if info is None else {"info": info}
    payload = json.dumps(claims, separators=(",", ":")).encode()
    try:
        parse_claims(payload)
    except TokenRefused as error:
        raise InvalidTokenClaims(error.message, cure=error.cure, field=error.field) from None
    key = ApiKey.objects.live(realm).first()
    if key is None:
        raise KeyNotFound
    header = json.dumps({"alg": "HS256", "typ": "JWT", "kid": str(key.pk)}, separators=(",", ":")).encode()
    signed = f"{_encode(header)}.{_encode(payload)}"
    signature = hmac.digest(open_sealed(key.sealed_secret), signed.encode(), hashlib.sha256)
    token = f"{signed}.{_encode(signature)}"
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidTokenClaims("the token would be too long", cure="name fewer channels", field="channels")
    return token


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
