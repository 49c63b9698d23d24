"""Reading what realms have used."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.usage import Usage
from realms.models import Realm, UsageDay

#: How many days are shown where nobody says which, and how many at most.
DEFAULT_DAYS = 30
MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class DayOfUsage:
    """One UTC day."""

    day: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Every day of a range, the oldest first, and all of them together."""

    first: date
    last: date
    days: list[DayOfUsage]
    total: Usage


def choose_range(first: date | None, last: date | None) -> tuple[date, date]:
    """Return the days that are meant: to today, of `DEFAULT_DAYS`, where nothing else is said.

    Raises:
        InvalidRequest: it ends before it begins, or is too long.
    """
    last = last or max(datetime.now(UTC).date(), first or date.min)
    first = first or last - timedelta(days=min(DEFAULT_DAYS - 1, (last - date.min).days))
    if first > last:
        raise InvalidRequest(f"{first} is after {last}", cure="let `from` be the earlier day", field="from")
    if (last - first).days >= MAX_DAYS:
        days = (last - first).days + 1
        raise InvalidRequest(f"these are {days:,} days", cure=f"ask for {MAX_DAYS} at most", field="from")
    return first, last


def read_usage(realms: Iterable[Realm], first: date, last: date) -> UsageReport:
    """Return what the realms used together. Of `max_connected`, a day has their sum, the whole range its largest day.

    The most that several realms had connected need not have been at one moment.
    """
    days = {first + timedelta(days=number): Usage() for number in range((last - first).days + 1)}
    rows = UsageDay.objects.filter(realm__in=[realm.pk for realm in realms], day__range=(first, last))
    for row in rows:
        most = days[row.day].max_connected + row.max_connected
        days[row.day].add(read_row(row))
        days[row.day].max_connected = most
    total = Usage()
    for usage in days.values():
        total.add(usage)
    return UsageReport(first, last, [DayOfUsage(day, usage) for day, usage in days.items()], total)


def read_row(row: UsageDay) -> Usage:
    """Return the figures of a row."""
    return Usage(
        max_connected=row.max_connected,
        client_activity=row.client_activity,
        client_minutes=row.client_minutes,
        received=row.received,
        delivered=row.delivered,
        delivered_to_polls=row.delivered_to_polls,
    )
