"""Subscriber tokens: JWTs by which your server says who somebody is and what they may have (docs/topics/access.md)."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fanoutcloud_client.errors import InvalidRequest
from fanoutcloud_client.json_text import decode_object, encode

Capability = Literal["subscribe", "publish", "presence", "history", "*"]
CAPABILITIES: tuple[Capability, ...] = ("subscribe", "publish", "presence", "history", "*")
MAX_LIFETIME_S = 31 * 86_400
MAX_TOKEN_CHARACTERS = 8192
MAX_INFO_BYTES = 2048


def make_token(
    *,
    realm: str,
    key: str,
    channels: Mapping[str, Sequence[Capability]],
    user: str | None = None,
    lifetime_s: int = 3600,
    info: Any = None,  # any JSON
    token_id: str | None = None,
    key_id: str | None = None,
    now: float | None = None,
) -> str:
    """Return a token signed with the realm's key (HS256). No request is made.

    `channels` is what it allows: from a name, or a prefix and `*`, to capabilities. `info` is shown in presence lists.
    By `token_id` it can be revoked alone.

    Raises:
        InvalidRequest: the server would refuse such a token.
    """
    _check(channels, lifetime_s, info)
    issued_at = int(time.time() if now is None else now)
    optional = {"sub": user, "info": info, "jti": token_id}
    claims: dict[str, Any] = {"iss": realm, "iat": issued_at, "exp": issued_at + lifetime_s}
    claims |= {name: value for name, value in optional.items() if value is not None}
    claims["channels"] = {name: list(capabilities) for name, capabilities in channels.items()}
    header = {"alg": "HS256", "typ": "JWT"} | ({} if key_id is None else {"kid": key_id})
    signed = f"{_base64url(encode(header))}.{_base64url(encode(claims))}"
    token = f"{signed}.{_base64url(hmac.digest(key_bytes(key), signed.encode(), hashlib.sha256))}"
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidRequest(
            f"the token has {len(token):,} characters; {MAX_TOKEN_CHARACTERS:,} are allowed",
            cure="use patterns such as orders.*, or a smaller info",
            field="channels",
        )
    return token


@dataclass(frozen=True, slots=True)
class TokenContents:
    """What a token says. Nothing of it is proven unless `is_signed_by` says so."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def expires_in_s(self) -> float | None:
        """How long it still holds by this machine's clock; negative where that is over."""
        expires_at = self.claims.get("exp")
        return expires_at - time.time() if isinstance(expires_at, int | float) else None

    def is_signed_by(self, key: str) -> bool:
        """Tell whether a realm's key has signed it (HS256 alone)."""
        made = hmac.digest(key_bytes(key), self.signed, hashlib.sha256)
        return self.header.get("alg") == "HS256" and hmac.compare_digest(made, self.signature)


def read_token(token: str) -> TokenContents:
    """Take a token apart, to look at it.

    Raises:
        InvalidRequest: it is no JWT.
    """
    parts = token.strip().split(".")
    try:
        header, claims, signature = (base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        told = decode_object(header), decode_object(claims)
    except (ValueError, binascii.Error):
        told = None, None
    if told[0] is None or told[1] is None:
        raise InvalidRequest(
            "this is no JWT: it has three parts of Base64url with dots between",
            cure="copy the whole token, without quotes",
            field="token",
        )
    return TokenContents(told[0], told[1], f"{parts[0]}.{parts[1]}".encode(), signature)


def key_bytes(key: str) -> bytes:
    """Return the bytes of a realm's key, which is shown as Base64.

    Raises:
        InvalidRequest: it is not Base64.
    """
    try:
        return base64.b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        raise InvalidRequest(
            "the key is not Base64", cure="copy the whole key from the realm's page, with = at its end", field="key"
        ) from None


def _check(channels: Mapping[str, Sequence[Capability]], lifetime_s: int, info: Any) -> None:
    if not 0 < lifetime_s <= MAX_LIFETIME_S:
        raise InvalidRequest(
            f"a token can't hold for {lifetime_s:,} s", cure=f"use 1 to {MAX_LIFETIME_S:,}", field="lifetime_s"
        )
    for name, capabilities in channels.items():
        if isinstance(capabilities, str) or not set(capabilities) <= set(CAPABILITIES):
            raise InvalidRequest(
                f"{capabilities!r} are no capabilities",
                cure=f"give a list of {', '.join(CAPABILITIES)}",
                field=f"channels[{name!r}]",
            )
    if info is not None and len(json.dumps(info, separators=(",", ":")).encode()) > MAX_INFO_BYTES:
        raise InvalidRequest("info is too large", cure=f"use {MAX_INFO_BYTES:,} bytes of JSON at most", field="info")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
