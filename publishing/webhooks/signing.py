"""Signatures of calls, as Standard Webhooks 1.0.0 has them: `v1` (HMAC-SHA256) and `v1a` (ed25519). Pure."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs a call, the newest first: secrets of `v1`, private keys of `v1a`."""

    secrets: tuple[bytes, ...]
    private_keys: tuple[Ed25519PrivateKey, ...] = ()


def new_secret() -> bytes:
    """Return a secret for `v1`, or the seed of a private key for `v1a`."""
    return secrets.token_bytes(SECRET_BYTES)


def show_secret(secret: bytes) -> str:
    """Return the secret as receivers' libraries take it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def private_key(seed: bytes) -> Ed25519PrivateKey:
    """Return the private key that grows from a seed."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def show_public_key(seed: bytes) -> str:
    """Return the public key of a seed as receivers' libraries take it."""
    return f"whpk_{base64.b64encode(private_key(seed).public_key().public_bytes_raw()).decode()}"


def sign(keys: SigningKeys, *, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one signature of each key, divided by blanks."""
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    marks = [f"v1,{_base64(hmac.new(secret, signed, hashlib.sha256).digest())}" for secret in keys.secrets]
    marks += [f"v1a,{_base64(key.sign(signed))}" for key in keys.private_keys]
    return " ".join(marks)


def signature_headers(keys: SigningKeys, *, webhook_id: str, timestamp: int, body: bytes) -> Sequence[tuple[str, str]]:
    """Return the three headers of a signed call."""
    return (
        ("webhook-id", webhook_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", sign(keys, webhook_id=webhook_id, timestamp=timestamp, body=body)),
    )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
