"""The page of what a realm uses."""

from dataclasses import dataclass
from datetime import UTC, date

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from fanoutcloud.core.usage import Usage
from realms.forms import UsageRangeForm
from realms.http import PageRequest, get_realm_or_404
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.usage import UsageReport, choose_range, read_usage

#: The chart's own units: a day is this wide, with this much of it empty; the highest bar has this height.
_STEP, _GAP, _HEIGHT = 20.0, 4.0, 160.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the page: its name, what it means, its name in a URL."""

    name: str
    title: str
    meaning: str

    def of(self, usage: Usage) -> int:
        """Return its value."""
        value: int = getattr(usage, self.name)
        return value


FIGURES = (
    Figure("total_ops", "Total ops", "client minutes and messages, but for those that answer long-polls"),
    Figure("max_connected", "Max connected", "the most at one moment"),
    Figure("client_activity", "Client activity", "requests, and minutes in which a WebSocket had messages"),
    Figure("client_minutes", "Client minutes", "how long requests and connections lasted"),
    Figure("received", "Messages received", "items published"),
    Figure("delivered", "Messages delivered", "deliveries to subscribers"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart."""

    day: date
    value: str
    x: float
    y: float
    height: float


@login_required
@never_cache
@require_GET
def show_usage(request: PageRequest, realm_id: str) -> HttpResponse:
    """Totals, a chart of one figure, and a table of all; `?from=&to=&figure=` choose."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    first, last = choose_range(None, None)
    form = UsageRangeForm(request.GET or None, initial={"from": first, "to": last})
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            with refusals_shown(form, at="from"):
                first, last = choose_range(form.cleaned_data["from"], form.cleaned_data["to"])
                status = 200
    report = read_usage([realm], first, last)
    shown = next((one for one in FIGURES if one.name == request.GET.get("figure")), FIGURES[0])
    context = {
        "realm": realm,
        "form": form,
        "report": report,
        "figures": [(one, f"{one.of(report.total):,}") for one in FIGURES],
        "shown": shown,
        "bars": make_bars(report, shown),
        "most": f"{most:,}" if (most := max(shown.of(one.usage) for one in report.days)) else "",
        "width": _STEP * len(report.days),
        "height": _HEIGHT,
        "bar_width": _STEP - _GAP,
        "rows": make_rows(report, since=realm.created_at.astimezone(UTC).date()),
    }
    return render(request, "realms/usage.html", context, status=status)


def make_rows(report: UsageReport, *, since: date) -> list[tuple[date, list[str]]]:
    """Return the figures of each day in words, the newest first; of days before `since` there is nothing to say."""
    return [
        (one.day, [f"{figure.of(one.usage):,}" for figure in FIGURES])
        for one in reversed(report.days)
        if one.day >= since
    ]


def make_bars(report: UsageReport, figure: Figure) -> list[Bar]:
    """Return where the bars of a figure stand; what is not nothing can be seen."""
    most = max(figure.of(one.usage) for one in report.days) or 1
    bars = []
    for number, one in enumerate(report.days):
        value = figure.of(one.usage)
        height = max(2.0, round(_HEIGHT * value / most, 2)) if value else 0.0
        bars.append(Bar(one.day, f"{value:,}", number * _STEP + _GAP / 2, _HEIGHT - height, height))
    return bars
