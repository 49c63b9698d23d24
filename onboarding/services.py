"""Steps that take more than one app: an account, its first realm, and the first item received."""

import enum

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from onboarding.models import QuickStartProgress
from publishing.inspector.services import list_inspectors, open_inspector
from publishing.models import Inspector
from realms.models import Realm
from realms.services import create_realm
from realms.services.locking import lock_realm


class QuickStartStep(enum.Enum):
    """A step of the quick start, in order; the value names its column. The last three are of its second path."""

    SUBSCRIBED = "subscribed_at"
    PUBLISHED = "published_at"
    DELIVERED = "delivered_at"
    PASSED_ON = "passed_on_at"
    HELD = "held_at"
    PUSHED = "pushed_at"


@transaction.atomic
def open_first_realm(user: User) -> Realm:
    """Return the user's oldest realm, created if there is none. Safe to call again, also at the same time."""
    User.objects.select_for_update().get(pk=user.pk)
    oldest = Realm.objects.filter(owner=user).order_by("created_at", "pk").first()
    return oldest or create_realm(owner=user).realm


def find_unfinished_realm(user: User) -> Realm | None:
    """Return the only realm of a user who has not seen an item arrive in it yet, else None."""
    realms = list(Realm.objects.filter(owner=user)[:2])
    if len(realms) != 1:
        return None
    progress = get_progress(realms[0])
    return realms[0] if progress.delivered_at is None else None


def get_progress(realm: Realm) -> QuickStartProgress:
    """Return how far the realm's quick start has come; stores nothing."""
    return QuickStartProgress.objects.filter(realm=realm).first() or QuickStartProgress(realm=realm)


def mark_subscribed(realm: Realm) -> bool:
    """Note that a subscriber was seen; return whether that is news."""
    return mark_step(realm, QuickStartStep.SUBSCRIBED)


def mark_published(realm: Realm) -> bool:
    """Note that a publish was accepted; return whether that is news."""
    return mark_step(realm, QuickStartStep.PUBLISHED)


def mark_delivered(realm: Realm) -> bool:
    """Note that an item reached a subscriber; return whether that is news."""
    return mark_step(realm, QuickStartStep.DELIVERED)


def mark_step(realm: Realm, step: QuickStartStep) -> bool:
    """Note that `step` was seen in `realm`; return whether that is news. Many processes may call at once."""
    QuickStartProgress.objects.get_or_create(realm=realm)
    first_time = QuickStartProgress.objects.filter(realm=realm, **{f"{step.value}__isnull": True})
    return bool(first_time.update(**{step.value: timezone.now()}))


def find_receiver(realm: Realm, channel: str) -> Inspector | None:
    """Return the realm's newest inspector that is called with items of `channel`, and of no other."""
    inspectors = list_inspectors(realm).order_by("-pk")
    return next((one for one in inspectors if one.endpoint.patterns == [channel]), None)


@transaction.atomic
def open_receiver_once(realm: Realm, channel: str) -> Inspector:
    """Return what `find_receiver` finds, opened if there is none. Safe to call again, also at the same time.

    Raises:
        InspectorLimitReached, EndpointLimitReached: the realm has as many as one may.
    """
    lock_realm(realm)
    return find_receiver(realm, channel) or open_inspector(realm=realm, patterns=[channel])
