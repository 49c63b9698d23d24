"""What is served at which address of an installation, and how realms and channels are written in them. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.jids import Jid
from fanoutcloud.core.names import ChannelName, RealmId, find_realm_id, parse_channel_name
from fanoutcloud.xmpp.stanzas import StanzaError, pubsub_error

_ADMIN = re.compile(r"admin-(.+)\Z")


@dataclass(frozen=True, slots=True)
class Node:
    """A channel as PubSub names it."""

    realm: RealmId
    channel: ChannelName

    def __str__(self) -> str:
        return f"/{self.realm}/{self.channel}"


@dataclass(frozen=True, slots=True)
class Account:
    """A realm's own account: its password is a token."""

    realm: RealmId
    name: str


@dataclass(frozen=True, slots=True)
class Domains:
    """The addresses of an installation whose XMPP domain is `main`."""

    main: str

    @property
    def pubsub(self) -> str:
        return f"pubsub.{self.main}"

    @property
    def api(self) -> str:
        return f"api.{self.main}"

    @property
    def stanza(self) -> str:
        return f"stanza.{self.main}"

    @property
    def guest(self) -> str:
        return f"guest.{self.main}"

    @property
    def services(self) -> tuple[str, str, str]:
        return self.pubsub, self.api, self.stanza

    def sender_of(self, realm: RealmId) -> str:
        """Return whom a realm's stanzas are from."""
        return f"{realm.lower()}@{self.stanza}"

    def find_stanza_realm(self, jid: Jid) -> RealmId | None:
        """Return whose address at `stanza.D` this is: `{realm}`, or `{realm}.{name}`; None for others."""
        return find_realm_id(jid.local.partition(".")[0]) if jid.domain == self.stanza and jid.local else None

    def find_account(self, jid: Jid) -> Account | None:
        """Return whose account the address is, or None if it is none of ours."""
        return find_account(jid.local) if jid.domain == self.main else None

    def find_admin_realm(self, jid: Jid) -> str | None:
        """Return the realm that `admin-{realm}@api.D` is for, in lower case as addresses are; None for others."""
        match = _ADMIN.match(jid.local)
        return match[1] if match else None


def find_account(user_name: str) -> Account | None:
    """Return what a user name `{realm}.{name}` says, or None. No realm's id has a dot."""
    realm, dot, name = user_name.partition(".")
    found = find_realm_id(realm)
    return Account(found, name) if dot and name and found is not None else None


@lru_cache(maxsize=4096)
def parse_node(text: str | None) -> Node:
    """Return the channel that a node names; nothing is lower-cased.

    Raises:
        StanzaError: no node is named, or there can be none of this name.
    """
    if not text:
        raise pubsub_error("bad-request", "nodeid-required", "name a node, such as /REALM/CHANNEL")
    realm, slash, channel = unicodedata.normalize("NFC", text[1:]).partition("/")
    found = find_realm_id(realm)
    if text[0] != "/" or not slash or found is None:
        raise no_such_node()
    try:
        return Node(found, parse_channel_name(channel))
    except InvalidRequest:
        raise no_such_node() from None


def no_such_node() -> StanzaError:
    """Return the one answer to whoever asks for what is not there, or not to be known."""
    return StanzaError("item-not-found", "there is nothing of this name for you; nodes are /REALM/CHANNEL")
