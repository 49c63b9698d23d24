"""Reading a realm out of the database as the delivery plane sees it."""

import logging
from collections.abc import Sequence

from channels.db import database_sync_to_async
from django.conf import settings
from django.utils import timezone

from fanoutcloud.core.directory import PublicKey, Rate, RealmKey, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.domains import Domain
from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, HostName, RealmId
from fanoutcloud.core.public_keys import parse_key_set
from fanoutcloud.core.revocations import NOTHING_REVOKED, Revocations
from fanoutcloud.core.rules import ChannelRules, make_rules
from fanoutcloud.core.xmpp_rights import NO_XMPP_RIGHTS, XmppRights
from realms.domain_documents import read_domain
from realms.errors import SealBroken
from realms.limit_settings import apply_limits
from realms.models import ApiKey, Realm, RealmDomain, RealmRule, Revocation, TokenKeySet, XmppAdmin, XmppReceiver
from realms.rule_settings import read_rule
from realms.sealing import open_sealed

logger = logging.getLogger(__name__)


def find_snapshot(realm_id: RealmId) -> RealmSnapshot | None:
    """Return what the database holds about the realm, or None if it holds no such realm. Blocks: nine queries.

    A key that can't be opened is left out and logged; the realm's others go on working.
    """
    realm = Realm.objects.filter(pk=realm_id).first()
    if realm is None:
        return None
    key_sets = list(TokenKeySet.objects.filter(realm=realm).order_by("pk"))
    keys = [opened for key in ApiKey.objects.live(realm) if (opened := _open(key))]
    return RealmSnapshot(
        realm=realm_id,
        keys=tuple(keys),
        retention=Retention(items=settings.HISTORY_ITEMS, age_s=settings.HISTORY_AGE_S),
        limits=apply_limits(realm.limits, default_limits()),
        domains=_read_domains(realm),
        rules=read_rules(realm),
        public_keys=_read_public_keys(key_sets),
        fetches_keys=any(row.url for row in key_sets),
        revocations=_read_revocations(realm),
        has_subscription_feed=realm.has_subscription_feed,
        xmpp=_read_xmpp(realm),
    )


def find_realm_of_host(host: HostName) -> RealmId | None:
    """Return the realm that has proven the name, or None. Blocks: one query by index."""
    row = RealmDomain.objects.holders(host).only("realm_id").first()
    return RealmId(row.realm_id) if row is not None else None


def default_limits() -> RealmLimits:
    """Return what each realm may use, by the settings; 0 there means no limit."""
    return RealmLimits(
        connections=settings.REALM_CONNECTIONS or None,
        channels=settings.REALM_CHANNELS or None,
        publish_items=Rate(per_s=settings.PUBLISH_ITEMS_PER_S, burst=settings.PUBLISH_ITEMS_BURST),
        item_bytes=settings.ITEM_BYTES or None,
        egress_bytes=_rate(settings.EGRESS_BYTES_PER_S, settings.EGRESS_BYTES_BURST),
    )


def _rate(per_s: int, burst: int) -> Rate | None:
    return Rate(per_s=per_s, burst=burst) if per_s else None


def _read_domains(realm: Realm) -> tuple[Domain, ...]:
    """Return the built-in domain, then those whose names are proven."""
    served = {row.name: read_domain(row) for row in RealmDomain.objects.filter(realm=realm) if row.is_proven}
    return served.pop("", Domain()), *(served[name] for name in sorted(served))


def read_rules(realm: Realm) -> ChannelRules:
    """Return the realm's channel rules. Blocks: one query."""
    rows = RealmRule.objects.filter(realm=realm).order_by("pattern")
    return make_rules(read_rule(row.pattern, row.document) for row in rows)


def _read_public_keys(key_sets: Sequence[TokenKeySet]) -> tuple[PublicKey, ...]:
    """Return the customer's public keys. Those that can't be used are left out and logged."""
    keys: list[PublicKey] = []
    for row in key_sets:
        if not row.document:
            continue  # not fetched yet
        try:
            keys += parse_key_set(row.document, source=f"p{row.pk}", issuer=row.issuer, is_lenient=bool(row.url))
        except InvalidRequest:
            logger.error("token_keys_not_readable", extra={"realm": row.realm_id, "key_set": row.pk})
    return tuple(keys)


def _read_xmpp(realm: Realm) -> XmppRights:
    admins = frozenset(XmppAdmin.objects.filter(realm=realm).values_list("address", flat=True))
    active = XmppReceiver.objects.filter(realm=realm, state=XmppReceiver.State.ACTIVE).exclude(channels=None)
    receivers: dict[str, set[ChannelName]] = {}
    for address, channel in active.values_list("address", "channels__channel"):
        receivers.setdefault(address, set()).add(ChannelName(channel))
    if not (admins or receivers or realm.sends_stanzas or realm.stanza_url):
        return NO_XMPP_RIGHTS
    frozen = {address: frozenset(channels) for address, channels in receivers.items()}
    return XmppRights(admins, realm.sends_stanzas, frozen, realm.stanza_url)


def _read_revocations(realm: Realm) -> Revocations:
    tokens, users = set(), {}
    for kind, name, revoked_at in Revocation.objects.effective(realm, timezone.now()).values_list(
        "kind", "name", "revoked_at"
    ):
        if kind == Revocation.Kind.TOKEN:
            tokens.add(name)
        else:
            users[name] = revoked_at.timestamp()
    return Revocations(frozenset(tokens), users) if tokens or users else NOTHING_REVOKED


#: The same off the event loop, in a thread whose database connection is closed afterwards. Not bound to one
#: thread: a view that blocks must not hold up delivery.
load_snapshot = database_sync_to_async(find_snapshot, thread_sensitive=False)
load_host = database_sync_to_async(find_realm_of_host, thread_sensitive=False)


def _open(key: ApiKey) -> RealmKey | None:
    try:
        return RealmKey(key_id=str(key.pk), secret=open_sealed(key.sealed_secret))
    except SealBroken:
        logger.error("key_not_readable", extra={"realm": key.realm_id, "key_id": key.pk})
        return None
