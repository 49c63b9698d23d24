"""What the delivery plane may ask about a realm. Implemented by `realms.directory`, handed over by the composition."""

from dataclasses import dataclass
from typing import Protocol

from fanoutcloud.core.allowances import Rate as Rate
from fanoutcloud.core.allowances import Retention as Retention
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.names import HostName, RealmId
from fanoutcloud.core.revocations import NOTHING_REVOKED, Revocations
from fanoutcloud.core.rules import NO_RULES, ChannelRules
from fanoutcloud.core.webhooks import NO_WEBHOOKS, WebhookInterest
from fanoutcloud.core.xmpp_rights import NO_XMPP_RIGHTS, XmppRights


@dataclass(frozen=True, slots=True)
class RealmLimits:
    """What one realm may use over all processes together; None is no limit (docs/topics/limits.md)."""

    connections: int | None = None  # held at once
    channels: int | None = None  # subscribed at once, however many connections and processes have them
    publish_items: Rate | None = None  # items
    item_bytes: int | None = None  # content of one item over all its formats
    egress_bytes: Rate | None = None  # written to subscribers


@dataclass(frozen=True, slots=True)
class RealmKey:
    """A live key of a realm; `secret` are the bytes that its Base64 text decodes to."""

    key_id: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that a customer's server signs tokens with; we have its public half, `jwk`, as JSON text.

    `key_id` is ours and unique in the realm, `kid` the customer's. Tokens of it name `issuer`, if that is set.
    """

    key_id: str
    kid: str | None
    algorithm: str
    jwk: str
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class RealmSnapshot:
    """All that delivery knows of a realm, as it was at one moment. Replaced as a whole, never changed."""

    realm: RealmId
    keys: tuple[RealmKey, ...]
    retention: Retention
    limits: RealmLimits = RealmLimits()
    domains: tuple[Domain, ...] = (Domain(),)  # the built-in one comes first, then those whose names are proven
    rules: ChannelRules = NO_RULES
    public_keys: tuple[PublicKey, ...] = ()
    fetches_keys: bool = False  # there are more at a URL, where new ones may have come
    revocations: Revocations = NOTHING_REVOKED
    has_subscription_feed: bool = False  # whether edges keep which channels get subscribers and lose them
    webhooks: WebhookInterest = NO_WEBHOOKS
    xmpp: XmppRights = NO_XMPP_RIGHTS

    def find_domain(self, name: str) -> Domain | None:
        """Return the realm's domain of this name, or None. There are few."""
        return next((domain for domain in self.domains if domain.name == name), None)


@dataclass(frozen=True, slots=True)
class HostFound:
    """Whose a host name is."""

    snapshot: RealmSnapshot
    domain: Domain


class RealmDirectory(Protocol):
    """Looks realms up. Answers from memory nearly always; never blocks the event loop."""

    def find_cached(self, realm: RealmId) -> RealmSnapshot | None:
        """Return the realm if it is known and fresh, else None, which says nothing. Costs no wait."""

    async def find_realm(self, realm: RealmId) -> RealmSnapshot | None:
        """Return the realm, or None if there is no such realm.

        Raises:
            Unavailable: it is not in memory and the database does not answer.
        """

    def find_host_cached(self, host: HostName) -> HostFound | None:
        """Return whose custom domain `host` is if that is known and fresh, else None, which says nothing."""

    async def find_host(self, host: HostName) -> HostFound | None:
        """Return the realm and the domain that has this name, or None if it is nobody's.

        `host` is as `fanoutcloud.core.names.find_host_name` returns it.

        Raises:
            Unavailable: as above.
        """

    def is_nobodys_host(self, host: HostName) -> bool:
        """Tell whether it is known that `find_host` would return None. Costs no wait."""
