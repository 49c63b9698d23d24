"""The subscription feed of a realm."""

from django.db import transaction

from fanoutcloud.core.names import RealmId
from realms.announcements import announce_change
from realms.models import Realm


@transaction.atomic
def follow_subscriptions(realm_id: RealmId) -> None:
    """Have the realm's edges keep which channels get subscribers and lose them. Idempotent; it is not ended."""
    if Realm.objects.filter(pk=realm_id, has_subscription_feed=False).update(has_subscription_feed=True):
        announce_change(Realm(pk=realm_id))
