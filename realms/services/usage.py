"""Adding to what realms have used."""

from collections.abc import Mapping
from datetime import date, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from fanoutcloud.core.names import RealmId
from fanoutcloud.core.usage import Usage
from realms.models import ConnectedCount, Realm, UsageDay

#: A process that has not said for this long how many connections it has is taken for gone.
COUNT_ENDS_S = 25
#: Realms whose use is added in one transaction.
REALMS_AT_ONCE = 200
_AMOUNTS = ("client_activity", "client_minutes", "received", "delivered", "delivered_to_polls")


@transaction.atomic
def add_usage(day: date, used: Mapping[RealmId, Usage], *, process: str) -> None:
    """Add to a day of realms; those that are deleted are passed over. Give it `REALMS_AT_ONCE` at most.

    What others have connected is added to the most that this process had.
    """
    existing = Realm.objects.filter(pk__in=list(used)).order_by("pk").values_list("pk", flat=True)
    realms = [RealmId(pk) for pk in existing]  # in one order, so that two processes never wait for each other
    UsageDay.objects.bulk_create([UsageDay(realm_id=realm, day=day) for realm in realms], ignore_conflicts=True)
    elsewhere = _count_elsewhere(realms, process)
    for realm in realms:
        one = used[realm]
        changes = {name: F(name) + amount for name in _AMOUNTS if (amount := getattr(one, name))}
        if one.max_connected:
            changes["max_connected"] = Greatest(F("max_connected"), one.max_connected + elsewhere.get(realm, 0))
        if changes:
            UsageDay.objects.filter(realm=realm, day=day).update(**changes)


def _count_elsewhere(realms: list[RealmId], process: str) -> dict[str, int]:
    counts = ConnectedCount.objects.filter(
        realm__in=realms, said_at__gt=timezone.now() - timedelta(seconds=COUNT_ENDS_S)
    )
    rows = counts.exclude(process=process).order_by().values_list("realm").annotate(number=Sum("connected"))
    return dict(rows)


@transaction.atomic
def say_connected(connected: Mapping[RealmId, int], *, process: str) -> None:
    """Say how many connections of which realms `process` has, in place of what it said before."""
    now = timezone.now()
    ConnectedCount.objects.filter(process=process).exclude(realm__in=list(connected)).delete()
    ConnectedCount.objects.filter(said_at__lt=now - timedelta(seconds=10 * COUNT_ENDS_S)).delete()
    existing = Realm.objects.filter(pk__in=list(connected)).order_by("pk").values_list("pk", flat=True)
    ConnectedCount.objects.bulk_create(
        [
            ConnectedCount(realm_id=pk, process=process, connected=connected[RealmId(pk)], said_at=now)
            for pk in existing
        ],
        batch_size=REALMS_AT_ONCE,
        update_conflicts=True,
        unique_fields=["realm", "process"],
        update_fields=["connected", "said_at"],
    )
