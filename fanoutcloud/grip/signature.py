"""`Grip-Sig`: proves to an origin that a request came through this edge (GRIP: Grip-Sig).

A compact JWT, HS256 with a key of the realm, `iss` the realm. Made once and used for some minutes: origins look at the
expiry, not at the moment of issue.
"""

from collections import OrderedDict

import jwt

from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmKey, RealmSnapshot
from fanoutcloud.core.domains import Domain

LIFETIME_S = 3600
#: A signature is made anew when it is this old: what origins see is always good for 55 minutes at least.
RENEWAL_S = 300.0
MAX_KEPT = 4_096


class Signer:
    """Signs for all realms of a process. Signing takes 20 µs, finding a signature less than one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, bytes], tuple[float, bytes]] = OrderedDict()

    def sign(self, snapshot: RealmSnapshot, domain: Domain) -> bytes | None:
        """Return the value of `Grip-Sig`; None if the realm has no live key."""
        key = _find_key(snapshot, domain)
        if key is None:
            return None
        now = self._clock.now()
        made_at, signature = self._kept.get((snapshot.realm, key.secret), (0.0, b""))
        if not 0 <= now - made_at < RENEWAL_S:
            claims = {"iss": snapshot.realm, "exp": int(now) + LIFETIME_S}
            signature = jwt.encode(claims, key.secret, algorithm="HS256").encode()
            self._keep((snapshot.realm, key.secret), now, signature)
        return signature

    def _keep(self, name: tuple[str, bytes], now: float, signature: bytes) -> None:
        self._kept[name] = (now, signature)
        self._kept.move_to_end(name)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)


def _find_key(snapshot: RealmSnapshot, domain: Domain) -> RealmKey | None:
    """Return the key that the domain names, else the realm's oldest: rotating must not surprise origins."""
    named = (key for key in snapshot.keys if key.key_id == domain.signature_key_id)
    return next(named, snapshot.keys[0] if snapshot.keys else None)
