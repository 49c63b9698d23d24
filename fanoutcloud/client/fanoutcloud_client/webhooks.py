"""Webhooks are signed by Standard Webhooks 1.0.0; whoever receives them checks that before anything else."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fanoutcloud_client.errors import BadSignature, InvalidRequest
from fanoutcloud_client.json_text import decode_object

#: How far `webhook-timestamp` may be from this machine's clock.
TOLERANCE_S = 300.0
_SECRET = "whsec_"  # noqa: S105 - the prefix of secrets, not one
_PUBLIC_KEY = "whpk_"


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A webhook whose signature holds. `id` is the same in every attempt: whoever remembers it does nothing twice."""

    id: str
    type: str
    timestamp: str
    data: dict[str, Any]


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    secrets: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> WebhookEvent:
    """Check the signature of a webhook and return what it says. `body` must be as it came, byte by byte.

    `secrets` are the endpoint's: `whsec_…` for signatures `v1`, a public key `whpk_…` for `v1a` (which needs the extra
    `fanoutcloud-client[ed25519]`). Give two during a change of secrets.

    Raises:
        BadSignature: a header is missing, the time is too far off, no signature holds, or it is no event.
        InvalidRequest: a secret is none, or `cryptography` is missing for a public key.
    """
    raw = body.encode() if isinstance(body, str) else body
    named = {name.lower(): value for name, value in (headers.items() if isinstance(headers, Mapping) else headers)}
    message_id, at, signatures = (_header(named, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    _check_time(at, time.time() if now is None else now, tolerance_s)
    keys = [secrets] if isinstance(secrets, str) else secrets
    _check_signatures(f"{message_id}.{at}.".encode() + raw, signatures.split(), keys)
    event = decode_object(raw)
    if event is None:
        raise BadSignature("the webhook's body is no JSON object", code="bad_body", field="body")
    kind, timestamp, data = (event.get(name) for name in ("type", "timestamp", "data"))
    return WebhookEvent(message_id, str(kind or ""), str(timestamp or ""), data if isinstance(data, dict) else {})


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise BadSignature(f"the header {name} is missing", cure="hand over all headers of the request", field=name)
    return value


def _check_time(text: str, now: float, tolerance_s: float) -> None:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadSignature("webhook-timestamp is no number", field="webhook-timestamp")
    off_s = now - int(text)
    if abs(off_s) > tolerance_s:
        which = "old" if off_s > 0 else "in the future"
        raise BadSignature(
            f"the webhook is {abs(off_s):.0f} s {which}; {tolerance_s:.0f} s are allowed",
            code="bad_time",
            cure="set this machine's clock, and answer webhooks before you work on them",
            field="webhook-timestamp",
        )


def _check_signatures(signed: bytes, signatures: Sequence[str], keys: Sequence[str]) -> None:
    if not keys:
        raise InvalidRequest("no secret is given", cure="copy it from the webhook's page", field="secrets")
    # Not `any`: every signature is compared with every secret, whichever holds.
    if not sum(_holds(signed, signature, key) for key in keys for signature in signatures):
        raise BadSignature(
            "no signature of the webhook holds",
            cure="use the secret of this endpoint, and the body's bytes as they came",
            field="webhook-signature",
        )


def _holds(signed: bytes, signature: str, key: str) -> bool:
    """Tell whether one signature, such as `v1,Base64`, is that of one secret."""
    version, _, text = signature.partition(",")
    try:
        given = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return False
    if version == "v1" and not key.startswith(_PUBLIC_KEY):
        return hmac.compare_digest(hmac.digest(_decoded(key, _SECRET), signed, hashlib.sha256), given)
    return version == "v1a" and key.startswith(_PUBLIC_KEY) and _holds_ed25519(signed, given, key)


def _holds_ed25519(signed: bytes, given: bytes, key: str) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise InvalidRequest(
            "v1a needs the package cryptography", cure="pip install fanoutcloud-client[ed25519]", field="secrets"
        ) from None
    try:
        Ed25519PublicKey.from_public_bytes(_decoded(key, _PUBLIC_KEY)).verify(given, signed)
    except InvalidSignature:
        return False
    except ValueError:
        raise _no_secret() from None
    return True


def _decoded(key: str, prefix: str) -> bytes:
    try:
        return base64.b64decode(key.removeprefix(prefix), validate=True)
    except (ValueError, binascii.Error):
        raise _no_secret() from None


def _no_secret() -> InvalidRequest:
    return InvalidRequest(
        "this is no webhook secret", cure="copy whsec_… or whpk_… from the webhook's page", field="secrets"
    )
