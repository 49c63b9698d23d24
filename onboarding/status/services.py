"""Keeping what probes found, and summing it up for the status page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max
from django.db.models.functions import Greatest
from django.utils import timezone

from onboarding.models import Probe, ProbeDay
from onboarding.status.probing import TRANSPORTS, Outcome, ProbeTarget, probe
from realms.models import Realm
from realms.selectors import list_live_keys
from realms.services import reveal_api_key
from realms.services.realms import open_ownerless_realm

REALM_ID = "_status"
KEPT_FOR = timedelta(hours=48)
DAYS_SHOWN = 60
#: Probes come every minute; after this long without one, nobody knows.
STALE_AFTER = timedelta(minutes=5)
#: How many of the last probes say how it is now: one lost item is no outage.
RECENT = 3
_NAMES = {
    "websocket": "WebSocket",
    "sse": "Server-sent events",
    "http-stream": "HTTP streaming",
    "long-poll": "Long-polling",
}


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of one transport. `share` is what arrived, in per cent; None: nobody looked."""

    day: date
    share: float | None
    failures: int

    @property
    def state(self) -> str:
        """How the day is drawn: `none`, `good`, `partial` or `bad`."""
        if self.share is None:
            return "none"
        return "good" if self.share >= 99.9 else "partial" if self.share >= 95 else "bad"


@dataclass(frozen=True, slots=True)
class TransportView:
    """How a transport is, and was."""

    transport: str
    state: str  # `up`, `down` or `unknown`
    last_ms: int | None
    median_ms: int | None
    problem: str
    days: list[DayView]

    @property
    def name(self) -> str:
        """What people call it."""
        return _NAMES[self.transport]

    @property
    def share(self) -> float | None:
        """What arrived on the days shown, in per cent, by days that were looked at."""
        known = [day.share for day in self.days if day.share is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class StatusView:
    """All transports, and the sum of them: `up`, `down`, `partial` or `unknown`."""

    transports: list[TransportView]
    checked_at: datetime | None

    @property
    def state(self) -> str:
        states = {transport.state for transport in self.transports}
        return states.pop() if len(states) == 1 else "partial"


def run_probe() -> list[Outcome]:
    """Probe the service as it is reached from outside, and keep what came of it."""
    outcomes = probe(find_target())
    store_outcomes(outcomes)
    return outcomes


def find_target() -> ProbeTarget:
    """Return the realm that probes go through, made when it is first needed."""
    realm = Realm.objects.filter(pk=REALM_ID).first() or open_ownerless_realm(realm_id=REALM_ID, label="Status page")
    key = reveal_api_key(realm=realm, key_id=list_live_keys(realm)[0].pk)
    return ProbeTarget(settings.PROBE_URL, realm.pk, key)


@transaction.atomic
def store_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Keep what a probe found, and add it to its day."""
    now = timezone.now()
    for outcome in outcomes:
        took_ms = None if outcome.took_s is None else round(outcome.took_s * 1000)
        Probe.objects.create(at=now, transport=outcome.transport, took_ms=took_ms, problem=outcome.problem[:200])
        day, _ = ProbeDay.objects.get_or_create(day=now.date(), transport=outcome.transport)
        ProbeDay.objects.filter(pk=day.pk).update(
            probes=F("probes") + 1,
            failures=F("failures") + int(took_ms is None),
            slowest_ms=Greatest(F("slowest_ms"), took_ms or 0),
        )


def forget_old_probes() -> None:
    """Delete single probes after `KEPT_FOR`, and days that the page does not show any more."""
    now = timezone.now()
    Probe.objects.filter(at__lt=now - KEPT_FOR).delete()
    ProbeDay.objects.filter(day__lt=now.date() - timedelta(days=2 * DAYS_SHOWN)).delete()


def show_status() -> StatusView:
    """Return what the page shows. Three queries for each transport."""
    now = timezone.now()
    return StatusView(
        [_show_transport(name, now) for name in TRANSPORTS], Probe.objects.aggregate(last=Max("at"))["last"]
    )


def _show_transport(name: str, now: datetime) -> TransportView:
    mine = Probe.objects.filter(transport=name)
    recent = list(mine.filter(at__gte=now - STALE_AFTER).order_by("-at")[:RECENT])
    failed = sum(one.took_ms is None for one in recent)
    state = "unknown" if not recent else "down" if failed == len(recent) else "up"
    lately = mine.filter(at__gte=now - timedelta(hours=24)).values_list("took_ms", flat=True)
    times = sorted(took_ms for took_ms in lately if took_ms is not None)
    return TransportView(
        transport=name,
        state=state,
        last_ms=recent[0].took_ms if recent else None,
        median_ms=times[len(times) // 2] if times else None,
        problem=recent[0].problem if state == "down" else "",
        days=_show_days(name, now.date()),
    )


def _show_days(transport: str, today: date) -> list[DayView]:
    rows = ProbeDay.objects.filter(transport=transport, day__gt=today - timedelta(days=DAYS_SHOWN))
    known = {row.day: row for row in rows}
    days = []
    for age in reversed(range(DAYS_SHOWN)):
        day = today - timedelta(days=age)
        row = known.get(day)
        share = 100 * (1 - row.failures / row.probes) if row and row.probes else None
        days.append(DayView(day, share, row.failures if row else 0))
    return days
