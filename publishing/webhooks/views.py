"""Pages of a realm's webhooks: endpoints and what is set for them. Looking takes a viewer, changing a developer."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import FanoutError
from publishing.models import WebhookEndpoint
from publishing.webhooks import endpoints
from publishing.webhooks.endpoints import EndpointSecrets
from publishing.webhooks.errors import EndpointDisabled, EndpointNotFound
from publishing.webhooks.forms import EndpointForm, ReplayForm, RotateForm
from publishing.webhooks.history_replays import ask_for_history
from publishing.webhooks.replays import replay_since, send_test_event
from publishing.webhooks.selectors import get_endpoint, list_deliveries, list_endpoints, list_history_replays
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm
from realms.refusals import refusals_shown, sentence
from realms.roles import Role

NEWEST = 10
SHOWN_REPLAYS = 3
_DEEDS = {
    "pause": (endpoints.pause_endpoint, "Paused. What happens is kept for it, and waits."),
    "disable": (endpoints.disable_endpoint, "Disabled. Nothing is sent, and nothing is kept for it."),
    "resume": (endpoints.resume_endpoint, "Resumed. What waits is sent now."),
}


@login_required
@never_cache
@require_GET
def show_endpoints(request: PageRequest, realm_id: str) -> HttpResponse:
    """All endpoints of the realm, and the form that adds one."""
    return _render_list(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@login_required
@never_cache
@require_POST
def add_endpoint(request: PageRequest, realm_id: str) -> HttpResponse:
    """Add an endpoint, and show it with its secret."""
    realm = get_realm_or_404(request.user, realm_id)
    form = EndpointForm(request.POST)
    if form.is_valid():
        with refusals_shown(form):
            created = endpoints.create_endpoint(realm=realm, **form.settings())
            return _render_endpoint(request, realm, created.endpoint, secrets=created.secrets, is_new=True)
    return _render_list(request, realm, form=form, status=422)


@login_required
@never_cache
@require_GET
def show_endpoint(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """One endpoint: how it is, its secret, its newest deliveries, its settings."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    return _render_endpoint(request, realm, _get_or_404(realm, endpoint_id))


@login_required
@never_cache
@require_POST
def change_endpoint(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Set an endpoint up as the form says."""
    realm = get_realm_or_404(request.user, realm_id)
    row = _get_or_404(realm, endpoint_id)
    form = EndpointForm(request.POST)
    if form.is_valid():
        with refusals_shown(form):
            endpoints.change_endpoint(realm=realm, endpoint_id=row.pk, changes=form.settings())
            messages.success(request, "Saved. What waits already goes by it, too.")
            return redirect("webhooks:endpoint", realm.pk, row.pk)
    return _render_endpoint(request, realm, row, form=form, status=422)


@login_required
@never_cache
@require_POST
def change_state(request: PageRequest, realm_id: str, endpoint_id: int, deed: str) -> HttpResponse:
    """Pause, disable or resume an endpoint."""
    realm = get_realm_or_404(request.user, realm_id)
    act, said = _DEEDS[deed]
    with missing_is_404():
        act(realm=realm, endpoint_id=endpoint_id)
    messages.success(request, said)
    return redirect("webhooks:endpoint", realm.pk, endpoint_id)


@login_required
@never_cache
@require_POST
def remove_endpoint(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Remove an endpoint with all that is kept of it."""
    realm = get_realm_or_404(request.user, realm_id)
    with missing_is_404():
        endpoints.remove_endpoint(realm=realm, endpoint_id=endpoint_id)
    messages.success(request, "The endpoint is removed, with the log of its deliveries.")
    return redirect("webhooks:list", realm.pk)


@login_required
@never_cache
@require_POST
def reveal_secrets(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Show the secrets; the audit log notes it."""
    realm = get_realm_or_404(request.user, realm_id)
    row = _get_or_404(realm, endpoint_id)
    return _render_endpoint(request, realm, row, secrets=endpoints.reveal_secrets(realm=realm, endpoint_id=row.pk))


@login_required
@never_cache
@require_POST
def rotate_secret(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Give the endpoint new secrets, and show them."""
    realm = get_realm_or_404(request.user, realm_id)
    row = _get_or_404(realm, endpoint_id)
    form = RotateForm(request.POST)
    if not form.is_valid():
        return _render_endpoint(request, realm, row, rotate_form=form, status=422)
    shown = endpoints.rotate_secret(realm=realm, endpoint_id=row.pk, overlap=form.cleaned_data["overlap"])
    return _render_endpoint(request, realm, _get_or_404(realm, endpoint_id), secrets=shown, is_rotated=True)


@login_required
@never_cache
@require_POST
def send_test(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Send a test event, and lead to what comes of it."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        delivery = send_test_event(realm=realm, endpoint_id=endpoint_id)
    except EndpointNotFound as error:
        raise Http404 from error
    except EndpointDisabled as error:
        messages.error(request, sentence(error))
        return redirect("webhooks:endpoint", realm.pk, endpoint_id)
    return redirect("webhooks:delivery", realm.pk, delivery.pk)


@login_required
@never_cache
@require_POST
def replay(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Send again what was given up, or all, since a moment."""
    realm = get_realm_or_404(request.user, realm_id)
    row = _get_or_404(realm, endpoint_id)
    form = ReplayForm(request.POST)
    if form.is_valid():
        with refusals_shown(form):
            messages.success(request, _replay(realm, row.pk, **form.cleaned_data))
            return redirect("webhooks:endpoint", realm.pk, row.pk)
    return _render_endpoint(request, realm, row, replay_form=form, status=422)


def _replay(realm: Realm, endpoint_id: int, *, since: datetime, what: str) -> str:
    """Have it sent again; return what is said of it."""
    if what == "history":
        ask_for_history(realm=realm, endpoint_id=endpoint_id, since=since)
        return "What history holds since then is looked up, and sent as it is found."
    count = replay_since(realm=realm, endpoint_id=endpoint_id, since=since, only_dead=what == "dead")
    return f"Sent again: {count:,}." if count else "There was nothing to send again."


@login_required
@never_cache
@require_POST
def send_missed(request: PageRequest, realm_id: str, endpoint_id: int) -> HttpResponse:
    """Send what the endpoint missed while it was disabled."""
    realm = get_realm_or_404(request.user, realm_id)
    row = _get_or_404(realm, endpoint_id)
    try:
        ask_for_history(realm=realm, endpoint_id=row.pk)
    except FanoutError as error:
        messages.error(request, sentence(error))
    else:
        messages.success(request, "What it missed is looked up in history, and sent as it is found.")
    return redirect("webhooks:endpoint", realm.pk, row.pk)


def _get_or_404(realm: Realm, endpoint_id: int) -> WebhookEndpoint:
    with missing_is_404():
        return get_endpoint(realm, endpoint_id)


def may_change(realm: Realm) -> bool:
    """Return whether whoever looks may change webhooks."""
    return Role(realm.role).is_at_least(Role.DEVELOPER)


def _render_list(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    page: dict[str, Any] = {
        "realm": realm,
        "endpoints": list_endpoints(realm, with_compatible=True).select_related("inspector"),
        "form": EndpointForm.empty(),
        "may_change": may_change(realm),
    }
    return render(request, "publishing/webhooks/list.html", page | context, status=status)


def _render_endpoint(
    request: PageRequest,
    realm: Realm,
    row: WebhookEndpoint,
    *,
    secrets: EndpointSecrets | None = None,
    status: int = 200,
    **context: object,
) -> HttpResponse:
    page: dict[str, Any] = {
        "realm": realm,
        "row": row,
        "secrets": secrets,
        "form": EndpointForm.of(row),
        "rotate_form": RotateForm(),
        "replay_form": ReplayForm(),
        "history_replays": list_history_replays(realm, row.pk)[:SHOWN_REPLAYS],
        "deliveries": list_deliveries(realm, endpoint_id=row.pk).select_related("endpoint")[:NEWEST],
        "may_change": may_change(realm),
    }
    return render(request, "publishing/webhooks/endpoint.html", page | context, status=status)
