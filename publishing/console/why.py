"""The page that answers "why?": one box for a message, a channel, a user or a connection."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.why import OUTCOMES
from publishing.api.planes import get_plane
from publishing.console.forms import WhyForm
from publishing.why.answers import Answer, Event, Finding, ItemStory
from publishing.why.explaining import explain
from publishing.why.texts import UNSEEN
from realms.http import PageRequest, get_realm_or_404
from realms.roles import Role
from realms.selectors import site_urls


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding, with its time for people."""

    finding: Finding
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item, with its outcomes in words."""

    story: ItemStory
    at: datetime
    outcomes: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A line of the timeline, with its time for people."""

    event: Event
    at: datetime


@login_required
@never_cache
@require_GET
def show_why(request: PageRequest, realm_id: str) -> HttpResponse:
    """The box, and the answer where something was asked."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    form = WhyForm(request.GET or None)
    answer, problem, status = None, "", 200
    if form.is_bound:
        if form.is_valid():
            try:
                answer = explain(get_plane(), realm, about=form.cleaned_data["about"], kind=form.cleaned_data["kind"])
            except FanoutError as error:
                problem, status = error.line, error.http_status
        else:
            problem, status = "Give a message's id or position, a channel, a user, or a connection.", 422
    context = {
        "realm": realm,
        "form": form,
        "problem": problem,
        "answer": answer,
        "unseen": UNSEEN,
        "site": site_urls(realm).path_form,
        **(_rows(answer) if answer is not None else {}),
    }
    return render(request, "publishing/console/why.html", context, status=status)


def _rows(answer: Answer) -> dict[str, object]:
    return {
        "findings": [FindingRow(one, _moment(one.last_at) if one.last_at else None) for one in answer.findings],
        "items": [
            ItemRow(
                one,
                _moment(one.at),
                [(f"{count:,}", OUTCOMES.get(name, name)) for name, count in sorted(one.outcomes.items())],
            )
            for one in answer.items
        ],
        "events": [EventRow(one, _moment(one.at)) for one in answer.timeline],
        "exact_since": _moment(answer.exact_since),
        "is_sampled": answer.sampled_since < answer.exact_since,
        "sampled_since": _moment(answer.sampled_since),
    }


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
