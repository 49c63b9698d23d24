"""Credentials as callers make them, and a world in which to try them."""

import base64
import json
from typing import Any

import jwt
import pytest

from fanoutcloud.core.directory import Rate, RealmKey, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.errors import FanoutError, Forbidden, Unauthorized
from fanoutcloud.core.names import RealmId
from publishing.authentication import Authenticator
from tests.fakes.clock import SteppedClock
from tests.fakes.directory import FakeDirectory

ALICE = RealmId("0a1b2c3d")
CHARLIE = RealmId("cc00cc00")
ALICE_KEY = bytes(range(32))
CHARLIE_KEY = bytes(range(100, 132))
#: As the old service gave them out.
SHORT_KEY = bytes(range(16))
#: The year 2100: what the vectors of fanout-cloud-api.md §3.1 expire in.
FAR_AWAY = 4_102_444_800


def realm_of(realm: RealmId, *keys: bytes, rate: Rate | None = None) -> RealmSnapshot:
    """Return a realm with these keys, named k0, k1 …"""
    named = tuple(RealmKey(f"k{number}", secret) for number, secret in enumerate(keys))
    return RealmSnapshot(realm, named, Retention(), RealmLimits(publish_items=rate))


def key_text(key: bytes) -> str:
    """Return the key as its owner sees it."""
    return base64.b64encode(key).decode()


def basic(realm: str, key: str | bytes) -> bytes:
    """Return an Authorization header of Basic."""
    text = key if isinstance(key, str) else key_text(key)
    return b"Basic " + base64.b64encode(f"{realm}:{text}".encode())


def bearer(key: bytes, *, header: Any = None, **claims: Any) -> bytes:
    """Return an Authorization header with a token that is signed with `key`, whatever it claims."""
    sealed = ".".join([_part(header or {"alg": "HS256", "typ": "JWT"}), _part(claims)])
    return b"Bearer " + f"{sealed}.{_sign(sealed, key)}".encode()


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _sign(text: str, key: bytes) -> str:
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    return base64.urlsafe_b64encode(algorithm.sign(text.encode(), key)).rstrip(b"=").decode()


def signed_payload(key: bytes, payload: bytes, *, header: bytes = b'{"alg":"HS256"}') -> bytes:
    """Return an Authorization header with a token of these very bytes."""
    sealed = f"{_part(header)}.{_part(payload)}"
    return b"Bearer " + f"{sealed}.{_sign(sealed, key)}".encode()


class World:
    """Alice's realm with two keys, Charlie's with one, and who checks their credentials."""

    def __init__(self) -> None:
        self.clock = SteppedClock()
        self.alice = realm_of(ALICE, ALICE_KEY, SHORT_KEY)
        self.directory = FakeDirectory(self.alice, realm_of(CHARLIE, CHARLIE_KEY))
        self.authenticator = Authenticator(self.directory, self.clock)

    async def key_of(self, header: bytes | None, *, realm: str = ALICE) -> str:
        """Return the id of the key that the credential proves."""
        snapshot, key = await self.authenticator.authenticate(realm, header)  # type: ignore[arg-type]
        assert snapshot.realm == realm
        return key.key_id

    async def refusal_of(self, header: bytes | None, *, realm: str = ALICE) -> FanoutError:
        with pytest.raises((Unauthorized, Forbidden)) as refused:
            await self.key_of(header, realm=realm)
        return refused.value
