"""What an address may do in a realm: by the realm's list of admins, by the token of its account, or as anybody."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from fanoutcloud.core.access import ANONYMOUS, CAPABILITIES, Capability, Grant, Permission
from fanoutcloud.core.claims import TokenRefused
from fanoutcloud.core.directory import RealmDirectory, RealmSnapshot
from fanoutcloud.core.errors import FanoutError, Forbidden, Unauthorized
from fanoutcloud.core.failures import FailuresByAddress
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.patterns import ChannelPattern
from fanoutcloud.core.rules import is_allowed
from fanoutcloud.edge.access.gate import AccessGate
from fanoutcloud.xmpp.addresses import Account, Node, no_such_node
from fanoutcloud.xmpp.sessions import Session
from fanoutcloud.xmpp.stanzas import StanzaError, to_stanza_error

_EVERYTHING = (Permission(ChannelPattern("", is_prefix=True), frozenset(CAPABILITIES)),)

#: Returns the id of the realm's key that signed a token of the customer's own server; raises `Unauthorized`.
CheckKey = Callable[[RealmId, str], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do in a realm. `is_admin`: all that the realm's API can."""

    realm: RealmSnapshot
    grant: Grant
    is_admin: bool = False


class Access:
    """Asked for every stanza, so that what was revoked holds no longer than the realm's snapshot."""

    def __init__(
        self, directory: RealmDirectory, gate: AccessGate, failures: FailuresByAddress, check_key: CheckKey
    ) -> None:
        self._directory = directory
        self._gate = gate
        self._failures = failures
        self._check_key = check_key

    async def find_realm(self, realm: RealmId, *, asker: str) -> RealmSnapshot | None:
        """Return the realm. `asker` is who tries: whoever tries many that do not exist is stopped for a while.

        Raises:
            LimitReached, Unavailable: it can't be looked up.
        """
        found = self._directory.find_cached(realm)
        if found is None:
            self._failures.check(asker, "")
            found = await self._directory.find_realm(realm)
            if found is None:
                self._failures.note(asker, "")
        return found

    async def find_rights(self, session: Session, realm: RealmId) -> Rights:
        """Return what the session may do in the realm.

        Raises:
            StanzaError: there is no such realm; or the session's token holds no more.
        """
        try:
            snapshot = await self.find_realm(realm, asker=session.address)
            if snapshot is None:
                raise no_such_node()
            return await self._find_rights(session, snapshot)
        except FanoutError as error:
            raise to_stanza_error(error) from None

    async def _find_rights(self, session: Session, realm: RealmSnapshot) -> Rights:
        if realm.xmpp.is_admin(session.jid):
            bare = str(session.jid.bare)
            return Rights(realm, Grant(user=bare, permissions=_EVERYTHING, jid=bare), is_admin=True)
        account = session.account
        if account is None or account.realm != realm.realm or session.token is None:
            return Rights(realm, ANONYMOUS)
        return await self.admit(account, realm, session.token, address=session.address)

    async def admit(self, account: Account, realm: RealmSnapshot, token: str, *, address: str) -> Rights:
        """Return what an account may do with a token: of a user of that name, or of the customer's own server.

        Raises:
            TokenRefused: it does not hold, or is another user's.
            LimitReached: tokens of this address failed too often.
        """
        grant = await self._gate.admit(realm, token, address=address)
        if grant.user and grant.user.casefold() != account.name.casefold():
            raise TokenRefused(
                "wrong_user", "the token is of another user", cure=f"sign in as {realm.realm}.{grant.user}", claim="sub"
            )
        if grant.user or grant.permissions or grant.info is not None:
            return Rights(realm, grant)
        try:
            await self._check_key(realm.realm, token)
        except (Unauthorized, Forbidden):
            return Rights(realm, grant)
        return Rights(realm, replace(grant, permissions=_EVERYTHING), is_admin=True)

    async def check_key(self, realm: RealmId, token: str, *, address: str) -> None:
        """Return if the token is signed with a key of the realm, as those of the customer's servers are.

        Raises:
            Unauthorized: it is not; an unknown realm looks the same.
            LimitReached, Unavailable: it can't be checked now.
        """
        self._failures.check(address, realm)
        try:
            await self._check_key(realm, token)
        except (Unauthorized, Forbidden) as error:
            self._failures.note(address, realm)
            raise Unauthorized("bad_token", str(error), cure="sign a JWT with a key of the realm: iss, exp") from None

    async def sign_in(self, user_name: Account, token: str, *, address: str) -> Rights:
        """Check what somebody signs in with.

        Raises:
            Unauthorized: the token does not hold; an unknown realm looks the same.
            LimitReached, Unavailable: it can't be checked now.
        """
        realm = await self.find_realm(user_name.realm, asker=address)
        if realm is None:
            raise Unauthorized("wrong_key", "the token is of no key of this realm", cure="make a new token")
        return await self.admit(user_name, realm, token, address=address)

    def check(self, rights: Rights, capability: Capability, node: Node) -> None:
        """Return if this may be done on the channel.

        Raises:
            StanzaError: it may not: `forbidden` where the channel may be seen, else the answer of what does not exist.
        """
        rule, grant = rights.realm.rules.find(node.channel), rights.grant
        if is_allowed(grant, rule, capability, node.channel):
            return
        if not is_allowed(grant, rule, "subscribe", node.channel):
            raise no_such_node()
        try:
            self._gate.check(grant, rights.realm, capability, node.channel)
        except (Unauthorized, Forbidden) as error:
            raise StanzaError("forbidden", str(error)) from None

    def check_admin(self, rights: Rights, node: Node) -> None:
        """Return if the realm may be administered.

        Raises:
            StanzaError: it may not; see `check`.
        """
        if not rights.is_admin:
            self.check(rights, "subscribe", node)
            raise StanzaError("forbidden", "this is for the realm's admins; have your address put on their list")
