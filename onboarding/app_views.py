"""The quick start's second path: "I have a web application"."""

from dataclasses import replace

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from onboarding.app_examples import PATH, PORT, build_app_examples
from onboarding.forms import OriginForm
from onboarding.services import get_progress
from onboarding.snippets import build_push_command
from realms.domain_documents import read_domain
from realms.domain_texts import parse_origin, write_origin
from realms.http import PageRequest, get_realm_or_404
from realms.models import Realm
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.selectors import list_live_keys, site_urls
from realms.services import reveal_api_key, set_up_domain
from realms.services.domains import get_domain

CHANNEL = "hello"


@login_required
@never_cache
@require_GET
def show_app_start(request: PageRequest, realm_id: str) -> HttpResponse:
    """Three steps to the first push through an application of the reader's own."""
    return _render(request, get_realm_or_404(request.user, realm_id))


@login_required
@never_cache
@require_POST
def set_app_origin(request: PageRequest, realm_id: str) -> HttpResponse:
    """Pass requests to the realm's own name on to the server that the form names."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = OriginForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="origin"):
            origin = parse_origin(form.cleaned_data["origin"], field="origin")
            before = read_domain(get_domain(realm=realm, name=""))
            set_up_domain(realm=realm, name="", domain=replace(before, origins=(origin,)))
            messages.success(request, f"Requests are passed on to {write_origin(origin)} now.")
            return redirect("onboarding:app_start", realm.pk)
    return _render(request, realm, form=form, status=422)


def _render(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    secret = reveal_api_key(realm=realm, key_id=key.pk)
    urls = site_urls(realm)
    origins = read_domain(get_domain(realm=realm, name="")).origins
    page = {
        "realm": realm,
        "urls": urls,
        "key": key,
        "channel": CHANNEL,
        "grip_url": urls.grip_url(secret),
        "origins": origins,
        "form": OriginForm(initial={"origin": write_origin(origins[0]) if origins else f"http://localhost:{PORT}"}),
        "may_change": Role(realm.role).is_at_least(Role.ADMIN),
        "examples": build_app_examples(channel=CHANNEL),
        "hold_command": f"curl -N {urls.path_form}{PATH}",
        "push_command": build_push_command(realm=realm.pk, key=secret, url=f"{urls.api}/publish/", channel=CHANNEL),
        "progress": get_progress(realm),
    }
    return render(request, "onboarding/app_start.html", page | context, status=status)
