"""The URLs that are called with what is published to a channel."""

import contextlib
import hashlib
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from fanoutcloud.core.names import ChannelName
from fanoutcloud.outbound.errors import Blocked
from fanoutcloud.outbound.gate import parse_url
from fanoutcloud.way_out import make_address_policy, make_gate_rules
from realms.audit import Action, note
from realms.errors import (
    InvalidRequestUrl,
    RequestSubscriptionLimitReached,
    RequestSubscriptionNotFound,
)
from realms.hosts import is_inspector, own_hosts, serves_this_machine_only
from realms.models import Realm, RequestSubscription
from realms.models.webhooks import MAX_URL_CHARACTERS
from realms.services.locking import lock_realm
from realms.services.sandbox_rules import refuse_in_sandbox

MAX_URLS_PER_CHANNEL = 20
MAX_URLS_PER_REALM = 1000


@transaction.atomic
def add_request_subscription(*, realm: Realm, channel: ChannelName, url: str) -> RequestSubscription:
    """Have `url` called with what is published to the channel. Idempotent.

    Raises:
        InvalidRequestUrl: it is no URL that may be called; it is looked at again before each call.
        RequestSubscriptionLimitReached: the channel, or the realm, has as many as it may have.
        NotInSandbox: the realm belongs to nobody.
    """
    refuse_in_sandbox(realm, "call URLs")
    url = check_url(url)
    lock_realm(realm)
    mine = RequestSubscription.objects.filter(realm=realm)
    found = mine.filter(channel=channel, url_digest=_digest(url)).first()
    if found is not None:
        return found
    if mine.filter(channel=channel).count() >= MAX_URLS_PER_CHANNEL:
        raise RequestSubscriptionLimitReached(MAX_URLS_PER_CHANNEL, "channel")
    if mine.count() >= MAX_URLS_PER_REALM:
        raise RequestSubscriptionLimitReached(MAX_URLS_PER_REALM, "realm")
    row = mine.create(realm=realm, channel=channel, url=url, url_digest=_digest(url))
    note(realm, Action.URL_ADDED, _thing(row))
    return row


@transaction.atomic
def remove_request_subscription(*, realm: Realm, channel: ChannelName, url: str) -> None:
    """Have `url` called no more; it may be written as it was when it was added, or as it is kept.

    Raises:
        RequestSubscriptionNotFound: it is not called.
    """
    digests = {_digest(url)}
    with contextlib.suppress(InvalidRequestUrl):  # what may not be called now may have been added when it was allowed
        digests.add(_digest(check_url(url)))
    mine = RequestSubscription.objects.filter(realm=realm, channel=channel, url_digest__in=digests)
    rows = list(mine.select_for_update())
    if not rows:
        raise RequestSubscriptionNotFound
    mine.delete()
    for row in rows:
        note(realm, Action.URL_REMOVED, _thing(row))


def check_url(text: str) -> str:
    """Return the URL as it is kept and called.

    Raises:
        InvalidRequestUrl: it names no server that may be called; what it resolves to is judged before each call.
    """
    is_local = serves_this_machine_only(settings)
    try:
        rules = make_gate_rules(settings)
        target = parse_url(text.strip(), replace(rules, permits_private_names=is_local or rules.permits_private_names))
        make_address_policy(settings).judge_endpoint(target.endpoint)
    except Blocked as blocked:
        raise InvalidRequestUrl(str(blocked), cure=blocked.cure, field="url") from None
    is_ours = own_hosts(settings).includes(target.endpoint.host) and not is_inspector(target.url, settings)
    if is_ours and not is_local:
        raise InvalidRequestUrl("leads back here", cure="name a server of your own", field="url")
    if len(target.url) > MAX_URL_CHARACTERS:
        raise InvalidRequestUrl("is too long", cure=f"use {MAX_URL_CHARACTERS:,} characters at most", field="url")
    return target.url


def _digest(url: str) -> str:
    return hashlib.sha256(url.encode(errors="replace")).hexdigest()


def _thing(row: RequestSubscription) -> str:
    """Return what the log calls the URL: its host, since the rest may hold a credential."""
    return f"{row.channel[:150]} → {urlsplit(row.url).hostname}"
