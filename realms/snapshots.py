"""Reading a realm out of the database as the delivery plane sees it."""

import logging

from channels.db import database_sync_to_async
from django.conf import settings

from fanoutcloud.core.directory import Rate, RealmKey, RealmLimits, RealmSnapshot, Retention
from fanoutcloud.core.names import RealmId
from realms.errors import SealBroken
from realms.models import ApiKey, Realm
from realms.sealing import open_sealed

logger = logging.getLogger(__name__)


def find_snapshot(realm_id: RealmId) -> RealmSnapshot | None:
    """Return what the database holds about the realm, or None if it holds no such realm. Blocks: two queries.

    A key that can't be opened is left out and logged; the realm's others go on working.
    """
    realm = Realm.objects.filter(pk=realm_id).first()
    if realm is None:
        return None
    keys = [opened for key in ApiKey.objects.live(realm) if (opened := _open(key))]
    return RealmSnapshot(
        realm=realm_id,
        keys=tuple(keys),
        retention=Retention(items=settings.HISTORY_ITEMS, age_s=settings.HISTORY_AGE_S),
        limits=default_limits(),
    )


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


#: The same off the event loop, in a thread whose database connection is closed afterwards. Not bound to one
#: thread: a view that blocks must not hold up delivery.
load_snapshot = database_sync_to_async(find_snapshot, thread_sensitive=False)


def _open(key: ApiKey) -> RealmKey | None:
    try:
        return RealmKey(key_id=str(key.pk), secret=open_sealed(key.sealed_secret))
    except SealBroken:
        logger.error("key_not_readable", extra={"realm": key.realm_id, "key_id": key.pk})
        return None
