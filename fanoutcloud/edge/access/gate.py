"""Who may do what at the edge: the one gate that every transport asks (docs/topics/access.md).

Three calls, on `hub.gate`:

    token = read_token(scope, options)                       # Authorization: Bearer, or ?token=; None without
    grant = await gate.admit(snapshot, token, address=…)     # what the token gives; ANONYMOUS without one
    gate.check(grant, snapshot, "subscribe", channel)        # raises NoToken (401) or NotAllowed (403)

Set `subscriber.grant = grant` before `hub.register`, so that its expiry and revocation end the connection. Later, when
only the realm's id is at hand: `await gate.check_now(subscriber, "presence", channel)`.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import parse_qsl

from fanoutcloud.core.access import ANONYMOUS, Capability, Grant
from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.clock import Clock
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot, Retention
from fanoutcloud.core.errors import Forbidden, NotFound, Unauthorized
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import ChannelName, RealmId
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.rules import ChannelRules, is_allowed
from fanoutcloud.core.streams import LAST_ITEM, StreamPosition
from fanoutcloud.core.tokens import CLOCK_SKEW_S, verify_token
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.hub.subscriber import Subscriber
from fanoutcloud.edge.site.requests import MAX_QUERY_MEMBERS, client_address

#: Verified tokens that are remembered, the newest; and how long they may be together, since a grant is about as large.
MAX_REMEMBERED = 20_000
MAX_REMEMBERED_CHARACTERS = 16_000_000

#: Has a realm's public keys fetched again; returns whether they are others than before. Must not raise.
RefreshKeys = Callable[[RealmId], Awaitable[bool]]
ASK_KEYS_AGAIN_S = 60.0
FETCH_KEYS_LIMIT_S = 12.0

_TOKEN_CURE = "connect with ?token=JWT, an Authorization: Bearer header, or send auth on the WebSocket"  # noqa: S105 - a text for people


class NoToken(Unauthorized):
    """The channel wants a token, and none came."""

    def __init__(self, capability: Capability, channel: ChannelName) -> None:
        super().__init__("no_token", f"{_WORDS[capability]} channel {channel!r} needs a token", cure=_TOKEN_CURE)
        self.field = "token"
        self.channel = channel


class NotAllowed(Forbidden):
    """The token holds, and does not allow this."""

    code = "not_allowed"

    def __init__(self, capability: Capability, channel: ChannelName) -> None:
        super().__init__(
            f"the token does not allow {_WORDS[capability]} channel {channel!r}",
            cure=f'make it with "channels": {{"{channel}": ["{capability}"]}}, or a pattern that covers it',
            field="token.channels",
        )
        self.channel = channel


_WORDS: dict[Capability, str] = {
    "subscribe": "subscribing to",
    "publish": "publishing to",
    "presence": "seeing who is in",
    "history": "reading the history of",
}


def read_token(scope: Scope, options: dict[str, str]) -> str | None:
    """Return the token of a request: of `Authorization: Bearer`, else of the query's `token`; None without."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer":
                return str(token.strip())
    return options.get("token") or None


def find_token(scope: Scope) -> str | None:
    """Return the token of a request whose query has other members than those of a subscription."""
    query = scope["query_string"].decode("latin-1")
    try:
        options = dict(parse_qsl(query, max_num_fields=MAX_QUERY_MEMBERS)) if "token=" in query else {}
    except ValueError:  # too many members to look through
        options = {}
    return read_token(scope, options)


class AccessGate:
    """Checks tokens and remembers those that hold. One per process. Without a `directory` every channel is public."""

    def __init__(
        self,
        clock: Clock,
        directory: RealmDirectory | None = None,
        failures: FailuresByAddress | None = None,
        *,
        refresh_keys: RefreshKeys | None = None,
    ) -> None:
        """`refresh_keys` is asked where a token names a public key that may have come since they were fetched."""
        self._refresh_keys = refresh_keys
        self._is_refreshing = False
        #: Realm → when its keys may be asked for again.
        self._ask_again_at: dict[RealmId, float] = {}
        self._clock = clock
        self._directory = directory
        self._failures = failures or FailuresByAddress(clock)
        #: Realm and digest of a token → the snapshot that it was checked against, what it gives, its length.
        self._known: OrderedDict[tuple[RealmId, bytes], tuple[RealmSnapshot, Grant, int]] = OrderedDict()
        self._known_characters = 0

    async def admit(self, realm: RealmSnapshot, token: str | None, *, address: str = "") -> Grant:
        """Return what the token gives; `ANONYMOUS` without one. Failures are counted by `address`.

        Raises:
            TokenRefused: it does not hold; names the claim, the cause and the cure.
            LimitReached: tokens from this address failed too often to be looked at now.
        """
        if token is None:
            return ANONYMOUS
        name = _name_of(realm, token)
        if (known := self._find_known(realm, name)) is not None:
            return known
        try:
            return self._verify(realm, token, name, address)
        except TokenRefused as error:
            if error.code != "unknown_key" or not await self._has_new_keys(realm):
                raise
        return self._verify(await self.find_realm(realm.realm), token, name, address)

    def admit_at_once(self, realm: RealmSnapshot, token: str | None, *, address: str) -> Grant | None:
        """Do what `admit` does if it holds, and nothing else: None, or an error that is not counted, leaves it to that.

        Raises:
            TokenRefused: it does not hold, by the keys that are known.
        """
        if token is None:
            return ANONYMOUS
        name = _name_of(realm, token)
        if (known := self._find_known(realm, name)) is not None:
            return known
        if self._failures.has_failed(address, realm.realm):
            return None
        return self._remember(name, realm, verify_token(token, realm, now=self._clock.now()), len(token))

    def _find_known(self, realm: RealmSnapshot, name: tuple[RealmId, bytes]) -> Grant | None:
        known = self._known.get(name)
        if known is not None and known[0] is realm and _end_of(known[1]) > self._clock.now():
            return known[1]
        return None

    async def _has_new_keys(self, realm: RealmSnapshot) -> bool:
        """Have the realm's keys fetched, if they are at a URL; tell whether they have changed.

        One realm at a time, and each at most once in `ASK_KEYS_AGAIN_S`: whoever else comes meanwhile is refused, and
        may come again.
        """
        now = self._clock.monotonic()
        if self._refresh_keys is None or not realm.fetches_keys or self._is_refreshing:
            return False
        self._ask_again_at = {name: until for name, until in self._ask_again_at.items() if until > now}
        if realm.realm in self._ask_again_at:
            return False
        self._ask_again_at[realm.realm] = now + ASK_KEYS_AGAIN_S
        self._is_refreshing = True
        try:
            async with asyncio.timeout(FETCH_KEYS_LIMIT_S):
                return await self._refresh_keys(realm.realm)
        except TimeoutError:
            return False
        finally:
            self._is_refreshing = False

    def _verify(self, realm: RealmSnapshot, token: str, name: tuple[RealmId, bytes], address: str) -> Grant:
        self._failures.check(address, realm.realm)
        try:
            grant = verify_token(token, realm, now=self._clock.now())
        except TokenRefused:
            self._failures.note(address, realm.realm)
            self._forget(name)
            raise
        return self._remember(name, realm, grant, len(token))

    def _remember(self, name: tuple[RealmId, bytes], realm: RealmSnapshot, grant: Grant, characters: int) -> Grant:
        self._forget(name)
        self._known[name] = (realm, grant, characters)
        self._known_characters += characters
        while len(self._known) > MAX_REMEMBERED or self._known_characters > MAX_REMEMBERED_CHARACTERS:
            self._known_characters -= self._known.popitem(last=False)[1][2]
        return grant

    @property
    def remembered(self) -> int:
        """How many tokens need not be verified again."""
        return len(self._known)

    def _forget(self, name: tuple[RealmId, bytes]) -> None:
        if (old := self._known.pop(name, None)) is not None:
            self._known_characters -= old[2]

    def check(self, grant: Grant, realm: RealmSnapshot, capability: Capability, channel: ChannelName) -> None:
        """Return if `grant` may do this on the channel, by the realm's rules or its own permissions.

        Raises:
            NoToken, NotAllowed: it may not.
        """
        if is_allowed(grant, realm.rules.find(channel), capability, channel):
            return
        raise NoToken(capability, channel) if grant is ANONYMOUS else NotAllowed(capability, channel)

    def check_pattern(self, grant: Grant, realm: RealmSnapshot, pattern: ChannelPattern) -> None:
        """Return if all channels of the pattern are public, or if `grant` allows subscribing to all of them at once.

        Whoever follows a pattern learns names of channels; so a rule for one of them closes the pattern.

        Raises:
            NoToken, NotAllowed: it may not.
        """
        if not realm.rules.demand_token(pattern) or grant.allows_all("subscribe", pattern):
            return
        name = ChannelName(str(pattern))
        raise NoToken("subscribe", name) if grant is ANONYMOUS else NotAllowed("subscribe", name)

    async def admit_request(
        self,
        realm: RealmSnapshot,
        scope: Scope,
        options: dict[str, str],
        channels: Iterable[ChannelName],
        patterns: Iterable[ChannelPattern] = (),
    ) -> Grant:
        """Return what the token of a request gives, if that is enough to subscribe to all of these.

        Raises:
            TokenRefused, NoToken, NotAllowed, LimitReached: see `admit` and `check`.
        """
        grant = await self.admit(realm, read_token(scope, options), address=client_address(scope))
        self.check_all(grant, realm, "subscribe", channels)
        for pattern in patterns:
            self.check_pattern(grant, realm, pattern)
        return grant

    def admit_request_at_once(
        self, realm: RealmSnapshot, scope: Scope, options: dict[str, str], channels: Iterable[ChannelName]
    ) -> Grant | None:
        """Do what `admit_request` does if the request is good, without counting anything; None: ask that.

        Raises:
            TokenRefused, NoToken, NotAllowed: as above.
        """
        grant = self.admit_at_once(realm, read_token(scope, options), address=client_address(scope))
        if grant is not None:
            self.check_all(grant, realm, "subscribe", channels)
        return grant

    def check_all(
        self, grant: Grant, realm: RealmSnapshot, capability: Capability, channels: Iterable[ChannelName]
    ) -> None:
        """Check each of the channels."""
        for channel in channels:
            self.check(grant, realm, capability, channel)

    def describe(self, grant: Grant) -> dict[str, object]:
        """Return what a client is told of its token: its user, and for how long it holds; nothing without one."""
        if grant.expires_at is None:
            return {}
        return {"user": grant.user, "expires_in_s": max(0, int(grant.expires_at - self._clock.now()))}

    async def check_now(self, subscriber: Subscriber, capability: Capability, channel: ChannelName) -> RealmSnapshot:
        """Check by the newest that is known of the subscriber's realm; return that.

        Raises:
            NoToken, NotAllowed: it may not.
            Unavailable: the realm can't be looked up.
        """
        realm = await self.find_realm(subscriber.realm)
        self.check(subscriber.grant, realm, capability, channel)
        return realm

    def key_ids(self, realm: RealmSnapshot) -> frozenset[str]:
        """Return the keys whose tokens hold now: those of grants, see `Grant.key_id`."""
        return frozenset([key.key_id for key in realm.keys] + [key.key_id for key in realm.public_keys])

    async def where_to_begin(
        self, realm: RealmId, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]
    ) -> list[StreamPosition | None]:
        """Return where each channel begins: where it says, or at its last item where a rule keeps that for newcomers.

        Raises:
            NotFound, Unavailable: see `find_realm`.
        """
        begins = self.find_beginnings(realm, wanted)
        return _begin_by_rules((await self.find_realm(realm)).rules, wanted) if begins is None else begins

    def find_beginnings(
        self, realm: RealmId, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]
    ) -> list[StreamPosition | None] | None:
        """Return the same if it is known; None: the realm must be looked up."""
        begins = [since for _, since in wanted]
        if None not in begins or self._directory is None:
            return begins
        found = self._directory.find_cached(realm)
        if found is None:
            return None
        return _begin_by_rules(found.rules, wanted) if found.rules else begins

    async def find_realm(self, realm: RealmId) -> RealmSnapshot:
        """Return what is known of a realm that has subscribers here.

        Raises:
            Unavailable: it can't be looked up.
            NotFound: it was deleted a moment ago.
        """
        if self._directory is None:
            return RealmSnapshot(realm, (), Retention())
        found = self._directory.find_cached(realm) or await self._directory.find_realm(realm)
        if found is None:
            raise NotFound(f"there is no realm {realm}")
        return found


def _begin_by_rules(
    rules: ChannelRules, wanted: Sequence[tuple[ChannelName, StreamPosition | None]]
) -> list[StreamPosition | None]:
    return [LAST_ITEM if since is None and rules.find(channel).cache_last_item else since for channel, since in wanted]


def _name_of(realm: RealmSnapshot, token: str) -> tuple[RealmId, bytes]:
    return realm.realm, hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _end_of(grant: Grant) -> float:
    """Return when the grant's token is taken no more."""
    assert grant.expires_at is not None, "every token expires"
    return grant.expires_at + CLOCK_SKEW_S
