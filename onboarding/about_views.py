"""Pages about the service itself: what one gets, how it is doing, what it is made of."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from onboarding.status.services import show_status as read_status
from realms.services.sandboxes import LIFE, LIMITS
from realms.snapshots import default_limits


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One line of the comparison: a sandbox, a realm of an account here, an installation of one's own."""

    name: str
    sandbox: str
    realm: str


@require_GET
def show_plans(request: HttpRequest) -> HttpResponse:
    """What a sandbox, a realm and an installation of one's own may use: the limits as they are set here."""
    limits = default_limits()
    rate = limits.publish_items
    rows = [
        PlanRow("Lives", f"{LIFE.total_seconds() / 3600:.0f} hours", "until you delete it"),
        PlanRow("Connections at once", _count(LIMITS["connections"]), _count(limits.connections)),
        PlanRow("Channels subscribed at once", _count(LIMITS["channels"]), _count(limits.channels)),
        PlanRow(
            "Items published",
            f"{LIMITS['publish_items_per_s']} a second",
            f"{rate.per_s:,.0f} a second" if rate else "no limit",
        ),
        PlanRow("Size of an item", _size(LIMITS["item_bytes"]), _size(limits.item_bytes)),
        PlanRow(
            "Sent to subscribers",
            f"{_size(LIMITS['egress_bytes_per_s'])} a second",
            f"{_size(int(limits.egress_bytes.per_s))} a second" if limits.egress_bytes else "no limit",
        ),
        PlanRow("History of a channel", _history(), _history()),
        PlanRow("Log of webhooks", "none", f"{settings.WEBHOOK_RETENTION_S / 86_400:.0f} days"),
    ]
    return render(request, "about/plans.html", {"rows": rows, "has_sandboxes": settings.SANDBOXES > 0})


@cache_control(max_age=15)
@require_GET
def show_status(request: HttpRequest) -> HttpResponse:
    """How each transport is doing, from items that are published and received every minute."""
    return render(request, "about/status.html", {"status": read_status()})


@require_GET
def show_style(request: HttpRequest) -> HttpResponse:
    """The design system, made of itself."""
    return render(request, "about/style.html", _STYLE)


_STYLE = {
    "colours": [
        ("paper", "the page"), ("surface", "cards"), ("surface-sunk", "what lies deeper"), ("ink", "text"),
        ("ink-soft", "less important text"), ("line", "edges"), ("line-strong", "edges of what can be used"),
        ("link", "links"), ("brand", "the one thing to do"), ("brand-soft", "look here"), ("ok", "it worked"),
        ("ok-soft", "behind it worked"), ("danger", "it did not"), ("danger-soft", "behind it did not"),
    ],
    "spaces": ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"],
    "sizes": [("hero", "Publish once"), ("2xl", "Your first message"), ("xl", "Two ends, a few lines each"),
              ("l", "In order, and once"), ("m", "Text as it is read"), ("s", "Labels and hints"), ("xs", "Facts")],
}  # fmt: skip


def _count(value: int | None) -> str:
    return "no limit" if value is None else f"{value:,}"


def _size(value: int | None) -> str:
    if value is None:
        return "no limit"
    for unit, bytes_in_it in (("MB", 1_000_000), ("KB", 1000)):
        if value >= bytes_in_it:
            return f"{value / bytes_in_it:,.0f} {unit}"
    return f"{value} bytes"


def _history() -> str:
    return f"{settings.HISTORY_ITEMS:,} items, {settings.HISTORY_AGE_S / 60:g} minutes"
