"""Who publishes: the credential of a request against the keys of a realm (docs/api/publish.md, "Credentials").

Signed tokens (JWT, HS256 with the decoded key), Basic (realm and key), and the key as a plain bearer token; also the
damaged forms of Basic that libraries in the field send. Verified tokens are remembered until they expire or the
realm's keys change, so that a busy publisher costs no signature check per request.
"""

import base64
import binascii
import hmac
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory, RealmKey, RealmSnapshot
from fanoutcloud.core.errors import Forbidden, Unauthorized
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import RealmId, find_realm_id

#: Clocks of callers may differ this much from ours.
CLOCK_LEEWAY_S = 60
MAX_REMEMBERED_TOKENS = 20_000
#: Longer ones are checked each time, so that what is remembered stays small: 20 MB at most.
MAX_REMEMBERED_BYTES = 1024
MAX_CREDENTIAL_BYTES = 8192
#: Of shorter texts, which may be somebody's password, nothing is shown.
MIN_HINTED_CHARACTERS = 20


class _Hs256(HMACAlgorithm):
    """HS256 with keys of any length: realms of the old service have keys of 16 bytes."""

    def check_key_length(self, key: Any) -> str | None:  # Any: as in PyJWT
        return None


def _make_verifier() -> jwt.PyJWS:
    verifier = jwt.PyJWS(algorithms=[])
    verifier.register_algorithm("HS256", _Hs256(HMACAlgorithm.SHA256))
    return verifier


_verifier = _make_verifier()


class _Claims(msgspec.Struct):
    """What is looked at of a token's claims. Times are in seconds since 1970."""

    iss: str | None = None
    exp: float | None = None
    nbf: float | None = None
    # What only subscribers' tokens have (core/claims.py). They are signed with the same key and handed to browsers.
    sub: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    channels: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    info: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_of_subscriber(self) -> bool:
        """Whether the token was made for somebody who may subscribe, not for the customer's own server."""
        names_user = self.sub is not msgspec.UNSET and bytes(self.sub).lstrip().startswith(b'"')
        return names_user or self.channels is not msgspec.UNSET or self.info is not msgspec.UNSET


_claims_decoder = msgspec.json.Decoder(_Claims)


@dataclass(frozen=True, slots=True)
class Credential:
    """What the Authorization header says, decoded as far as its form tells. `named_realm` is unproven."""

    named_realm: str | None
    token: str | None = None  # a JWT, and its claims
    claims: _Claims | None = None
    key_text: str | None = None  # the key's Base64 text


@dataclass(slots=True)
class _Verified:
    snapshot: RealmSnapshot
    key: RealmKey
    until: float


class Authenticator:
    """Checks credentials of publish requests. One per process."""

    def __init__(self, directory: RealmDirectory, clock: Clock, failures: FailuresByAddress | None = None) -> None:
        self._directory = directory
        self._failures = failures or FailuresByAddress(clock)
        self._clock = clock
        self._verified: OrderedDict[tuple[RealmId, bytes], _Verified] = OrderedDict()

    async def authenticate(
        self, realm: RealmId, header: bytes | None, *, address: str = ""
    ) -> tuple[RealmSnapshot, RealmKey]:
        """Return the realm and the key of it that the credential proves.

        Failures are counted by the caller's `address`, if it is given, and realm; unknown realms count together.

        Raises:
            Unauthorized: no credential, or none of a key of this realm; an unknown realm looks the same.
            Forbidden: it is good for another realm.
            LimitReached: this address failed too often to be looked at now.
            Unavailable: the realm can't be looked up.
        """
        snapshot = self._directory.find_cached(realm)
        if snapshot is not None and (key := self._find_verified(snapshot, header)) is not None:
            return snapshot, key
        about = "" if snapshot is None else realm
        self._failures.check(address, about)
        try:
            return await self._verify(realm, header, snapshot)
        except (Unauthorized, Forbidden):
            self._failures.note(address, about)
            raise

    def _find_verified(self, snapshot: RealmSnapshot, header: bytes | None) -> RealmKey | None:
        """Return the key of a credential that was verified before and still holds."""
        remembered = self._verified.get((snapshot.realm, header or b""))
        if remembered and remembered.snapshot is snapshot and remembered.until > self._clock.now():
            return remembered.key
        return None

    async def _verify(
        self, realm: RealmId, header: bytes | None, cached: RealmSnapshot | None
    ) -> tuple[RealmSnapshot, RealmKey]:
        snapshot = cached or await self._directory.find_realm(realm)
        if snapshot is not None and (verified := self._find_verified(snapshot, header)) is not None:
            return snapshot, verified
        credential = read_credential(header)
        if credential.named_realm is not None and credential.named_realm != realm:
            await self._refuse_foreign(realm, credential)
        if snapshot is None:
            raise WrongKey(realm)
        key, until = check_credential(snapshot, credential, self._clock.now())
        self._remember((realm, header or b""), _Verified(snapshot, key, until))
        return snapshot, key

    async def _refuse_foreign(self, realm: RealmId, credential: Credential) -> None:
        """Raise: 403 if the credential holds for the realm that it names, else 401."""
        named = find_realm_id(credential.named_realm or "")
        other = await self._directory.find_realm(named) if named is not None else None
        if other is None:
            raise WrongKey(realm)
        try:
            check_credential(other, credential, self._clock.now())
        except Unauthorized:
            raise WrongKey(realm) from None
        raise Forbidden(
            f"the credential is of realm {other.realm}, the path names realm {realm}",
            cure="use the key of the realm that you publish to",
        )

    def _remember(self, name: tuple[RealmId, bytes], verified: _Verified) -> None:
        if len(name[1]) > MAX_REMEMBERED_BYTES:
            return
        self._verified[name] = verified
        self._verified.move_to_end(name)
        if len(self._verified) > MAX_REMEMBERED_TOKENS:
            self._verified.popitem(last=False)


def hint_of(key: RealmKey) -> str:
    """Return the last characters of the key's text, by which its owner knows it."""
    return "…" + base64.b64encode(key.secret)[-4:].decode()


def check_credential(snapshot: RealmSnapshot, credential: Credential, now: float) -> tuple[RealmKey, float]:
    """Return the key of the realm that the credential proves, and when that ends.

    Raises:
        Unauthorized: it proves none.
    """
    if credential.token is not None and credential.claims is not None:
        return _check_token(snapshot, credential.token, credential.claims, now)
    given = (credential.key_text or "").encode()
    found = None
    for key in snapshot.keys:  # all of them, so that time tells nothing about which
        if hmac.compare_digest(given, base64.b64encode(key.secret)):
            found = key
    if found is None:
        raise WrongKey(snapshot.realm, credential.key_text)
    return found, math.inf


_SCHEMES = "send Basic REALM:KEY or a signed Bearer token"


def read_credential(header: bytes | None) -> Credential:
    """Return what an Authorization header says.

    Raises:
        Unauthorized: there is none, or it has no form that is known here.
    """
    if header is None or not header.strip():
        raise Unauthorized(
            "no_credential",
            "no Authorization header came",
            cure=_SCHEMES,
        )
    if len(header) > MAX_CREDENTIAL_BYTES:
        raise Unauthorized("bad_credential", "the Authorization header is too long", cure="send a shorter token")
    scheme, _, value = header.decode("latin-1").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return _read_bearer(value.strip())
        case "basic":
            return _read_basic(value)
        case _ if not value:
            return _read_basic(scheme)  # one library leaves the scheme's name out
        case _:
            # Not named: where the scheme was forgotten, it is a part of the credential.
            raise Unauthorized("bad_credential", "the scheme of the credential is not offered", cure=_SCHEMES)


def _read_bearer(value: str) -> Credential:
    if value.count(".") != 2:
        return Credential(None, key_text=value)
    try:
        payload = _verifier.decode(value, options={"verify_signature": False})
        claims = _claims_decoder.decode(payload)
    except msgspec.ValidationError as error:
        name = str(error).partition("`$.")[2].rstrip("`")
        problem = f"the token's {name!r} can't be used" if name else "the token holds no claims"
        raise Unauthorized("bad_token", problem, cure="set 'iss' to the realm's id and 'exp' to a number") from None
    except (jwt.PyJWTError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _no_jwt() from None
    if claims.is_of_subscriber:
        raise Unauthorized(
            "subscriber_token",
            "the token is a subscriber's: it has 'sub', 'channels' or 'info'",
            cure="publish with a token that has iss and exp only; subscribers publish over their own connection",
        )
    if claims.iss is None:
        raise Unauthorized("bad_token", "the token has no 'iss'", cure="set 'iss' to the realm's id")
    return Credential(claims.iss, token=value, claims=claims)


def _no_jwt() -> Unauthorized:
    return Unauthorized("bad_token", "the token is no JWT", cure="make it with a JWT library, HS256")


def _read_basic(value: str) -> Credential:
    text = "".join(value.split())  # some libraries break the line inside
    if text.startswith("b'") and text.endswith("'"):  # Python's bytes, printed by a library
        text = text[2:-1]
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise Unauthorized(
            "bad_credential", "the Basic credential is not Base64 of REALM:KEY", cure="try curl -u REALM:KEY"
        )
    return Credential(user, key_text=password)


def _check_token(snapshot: RealmSnapshot, token: str, claims: _Claims, now: float) -> tuple[RealmKey, float]:
    """Return the key that signed the token, and when the token ends to hold."""
    for key in snapshot.keys:
        try:
            _verifier.decode(token, key.secret, algorithms=["HS256"])
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidAlgorithmError:
            raise Unauthorized("bad_token", "the token is not signed with HS256", cure="sign it with HS256") from None
        except jwt.PyJWTError:
            raise _no_jwt() from None
        return key, _check_times(claims, now, key)
    raise WrongKey(snapshot.realm)


def _check_times(claims: _Claims, now: float, key: RealmKey) -> float:
    """Return when the token ends to hold."""
    if claims.exp is None:
        raise Unauthorized("bad_token", "the token has no 'exp'", cure="set 'exp', say 600 s ahead")
    until = claims.exp + CLOCK_LEEWAY_S
    if until <= now:
        raise Unauthorized(
            "token_expired",
            f"the token expired {_span(now - claims.exp)} ago",
            cure=f"check the clock of the calling machine: if it signed this just now, with key {hint_of(key)}, it is"
            f" {_span(now - claims.exp)} behind or more. Set it, make a new token, or send Basic REALM:KEY",
        )
    if claims.nbf is not None and claims.nbf > now + CLOCK_LEEWAY_S:
        raise Unauthorized(
            "token_not_yet_valid",
            f"the token begins to hold in {_span(claims.nbf - now)}",
            cure=f"check the clock of the calling machine, which signed with key {hint_of(key)}: it is ahead",
        )
    return until


def _span(seconds: float) -> str:
    """Return a duration for people: 40 s, 12 minutes, 3 hours, 5 days."""
    for limit, unit_s, unit in ((120, 1, "s"), (7200, 60, "minutes"), (172_800, 3600, "hours")):
        if seconds < limit:
            return f"{max(0, int(seconds // unit_s))} {unit}"
    return f"{int(seconds // 86_400)} days"


class WrongKey(Unauthorized):
    """The credential is of no key of the realm. `key_hint`: the last characters of what was sent as a key."""

    def __init__(self, realm: RealmId, key_text: str | None = None) -> None:
        super().__init__(
            "wrong_key",
            f"the credential is of no key of realm {realm}",
            cure="copy the key from the realm's page; a JWT is signed with the decoded key",
        )
        self.key_hint = f"…{key_text[-4:]}" if key_text and len(key_text) >= MIN_HINTED_CHARACTERS else ""
