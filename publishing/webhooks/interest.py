"""What the delivery plane knows of webhooks: a part of a realm's snapshot, added to what `realms` reads."""

from dataclasses import replace

from channels.db import database_sync_to_async

from fanoutcloud.core.directory import RealmSnapshot
from fanoutcloud.core.names import RealmId
from fanoutcloud.core.patterns import parse_pattern
from fanoutcloud.core.webhooks import NO_WEBHOOKS, REQUESTS_ONLY, WebhookInterest
from publishing.models import WebhookEndpoint
from realms.snapshots import find_snapshot


def find_snapshot_with_webhooks(realm_id: RealmId) -> RealmSnapshot | None:
    """Return what the database holds about the realm, what its webhooks want included. Blocks: one query more."""
    snapshot = find_snapshot(realm_id)
    return None if snapshot is None else replace(snapshot, webhooks=read_interest(realm_id))


def read_interest(realm_id: RealmId) -> WebhookInterest:
    """Return what the realm's endpoints want; of those that are disabled, nothing. Blocks: one query."""
    rows = WebhookEndpoint.objects.filter(realm=realm_id).exclude(state=WebhookEndpoint.State.DISABLED)
    wanted = []
    for row in rows.only("patterns", "events", "format").order_by("pk"):
        patterns = tuple(parse_pattern(text) for text in row.patterns)
        wanted += [(kind, patterns) for kind in _kinds_of(row)]
    return WebhookInterest(tuple(wanted)) if wanted else NO_WEBHOOKS


def _kinds_of(row: WebhookEndpoint) -> list[str]:
    """Return the kinds of an endpoint, with what an endpoint for `http-request` alone gets told from the others."""
    if row.format != WebhookEndpoint.Format.HTTP_REQUEST:
        return [*row.events, *([REQUESTS_ONLY] if "channel.message" in row.events else [])]
    is_for_items = "channel.message" in row.events
    return [*(kind for kind in row.events if kind != "channel.message"), *([REQUESTS_ONLY] if is_for_items else [])]


#: The same off the event loop; see `realms.snapshots.load_snapshot`.
load_snapshot_with_webhooks = database_sync_to_async(find_snapshot_with_webhooks, thread_sensitive=False)
