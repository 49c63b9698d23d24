"""Ends what is not allowed any more: tokens that expired or were revoked, channels that a rule has closed.

By state, not by event: whenever a realm has changed, all its subscribers here are held against what it is now. So an
announcement that got lost costs time only, and a hundred revocations at once cost one look. Fan-out knows nothing of
it. Source: docs/topics/access.md.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence

from fanoutcloud.core.access import ANONYMOUS, Grant
from fanoutcloud.core.close_reasons import CloseReason
from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.errors import FanoutError, Forbidden, Unauthorized
from fanoutcloud.core.jids import parse_jid
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.tokens import CLOCK_SKEW_S
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.edge.hub.hub import Hub
from fanoutcloud.edge.hub.subscriber import Subscriber

#: Expiry is looked at this often.
EXPIRY_TICK_S = 1.0
#: Every realm with subscribers here is looked at this often, whether an announcement came or not.
REVIEW_S = 60.0
#: Changes of a realm that come faster than this are enforced together.
SETTLE_S = 0.1
#: Subscribers that are looked at in one turn of the event loop; closing one takes about 10 µs.
PER_TURN = 500


class Enforcement:
    """One process's. `run` must be running."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told: set[Subscriber] = set()  # that its token has expired
        self._changed: set[RealmId] = set()
        self._busy: set[RealmId] = set()

    async def run(self) -> None:
        """Look at what expires, and at realms whose announcements got lost, until cancelled."""
        review_at = self._hub.clock.monotonic() + REVIEW_S
        while True:
            await asyncio.sleep(EXPIRY_TICK_S)
            await self.expire()
            if self._hub.clock.monotonic() >= review_at:
                review_at = self._hub.clock.monotonic() + REVIEW_S
                await self.review()

    async def expire(self) -> None:
        """Say it where a token has expired, and end those connections that had no new one within `CLOCK_SKEW_S`."""
        now = self._hub.clock.now()
        expired = [
            subscriber
            for subscriber in self._hub.subscribers
            if subscriber.grant.expires_at is not None and subscriber.grant.expires_at <= now
        ]
        self._told.intersection_update(expired)
        for page in _pages(expired):
            for subscriber in page:
                self._expire_one(subscriber, now)
            await asyncio.sleep(0)

    def _expire_one(self, subscriber: Subscriber, now: float) -> None:
        ends_at = (subscriber.grant.expires_at or 0.0) + CLOCK_SKEW_S
        if subscriber.is_closed or ends_at - CLOCK_SKEW_S > now:
            return  # it has gone, or has got a new token, since the list was made
        if ends_at <= now:
            subscriber.close(CloseReason.TOKEN_EXPIRED)
        elif subscriber not in self._told:
            self._told.add(subscriber)
            subscriber.tell_token_expired(ends_at - now)

    async def review(self) -> None:
        """Enforce what was not told, or was told while a subscriber was on its way in."""
        realms = {subscriber.realm for subscriber in self._hub.subscribers}
        for realm in realms:
            with contextlib.suppress(FanoutError):  # it can't be looked up now, or was deleted: that is told elsewhere
                await self._enforce(await self._hub.gate.find_realm(realm))

    def realm_changed(self, realm: RealmId) -> None:
        """Know that a realm has changed, and enforce what it is now; returns at once."""
        if not self._hub.subscribers:
            return
        self._changed.add(realm)
        if realm not in self._busy:
            self._busy.add(realm)
            self._hub.spawn(self._enforce_changes(realm))

    async def _enforce_changes(self, realm: RealmId) -> None:
        try:
            while realm in self._changed:
                self._changed.discard(realm)
                await self._enforce(await self._hub.gate.find_realm(realm))
                await asyncio.sleep(SETTLE_S)
        except FanoutError:
            return  # `review` comes back to it
        finally:
            self._busy.discard(realm)

    async def _enforce(self, realm: RealmSnapshot) -> None:
        """Hold all subscribers of the realm against it."""
        here = [subscriber for subscriber in self._hub.subscribers if subscriber.realm == realm.realm]
        await hold_against(realm, self._hub.gate, here)


async def hold_against(realm: RealmSnapshot, gate: AccessGate, subscribers: Sequence[Subscriber]) -> None:
    """End those subscribers of the realm whose token was revoked, and channels that they may not have any more."""
    key_ids = gate.key_ids(realm)
    for page in _pages(subscribers):
        for subscriber in page:
            if not subscriber.is_closed:
                _hold_one_against(realm, gate, key_ids, subscriber)
        await asyncio.sleep(0)


def _hold_one_against(realm: RealmSnapshot, gate: AccessGate, key_ids: frozenset[str], subscriber: Subscriber) -> None:
    grant = subscriber.grant
    if _is_over(realm, key_ids, grant):
        subscriber.close(CloseReason.TOKEN_REVOKED)
    elif realm.rules:
        for channel in list(subscriber.channels):
            try:
                gate.check(grant, realm, "subscribe", channel)
            except (Unauthorized, Forbidden) as error:
                subscriber.lose(channel, error)
        _hold_patterns_against(realm, gate, subscriber)


def _is_over(realm: RealmSnapshot, key_ids: frozenset[str], grant: Grant) -> bool:
    """Tell whether what gave the grant holds no more: its key, its token, its user, or its address on a list."""
    if grant is ANONYMOUS or grant.is_receiver:  # receivers come and go with their list, at the XMPP gateway
        return False
    if grant.jid:
        return not realm.xmpp.is_admin(parse_jid(grant.jid))
    return grant.key_id not in key_ids or realm.revocations.covers(grant)


def _hold_patterns_against(realm: RealmSnapshot, gate: AccessGate, subscriber: Subscriber) -> None:
    for pattern in list(subscriber.following.patterns) if subscriber.following is not None else ():
        try:
            gate.check_pattern(subscriber.grant, realm, pattern)
        except (Unauthorized, Forbidden) as error:
            subscriber.lose_pattern(pattern, error)


def _pages(subscribers: Sequence[Subscriber]) -> Iterator[Sequence[Subscriber]]:
    for start in range(0, len(subscribers), PER_TURN):
        yield subscribers[start : start + PER_TURN]
