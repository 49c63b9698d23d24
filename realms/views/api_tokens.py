"""The pages of API tokens: a person's own, and those of a realm."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from realms.actors import Actor
from realms.forms import ApiTokenForm
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.scopes import Scope
from realms.selectors import list_personal_tokens, list_realm_tokens
from realms.services.api_tokens import issue_api_token, revoke_personal_token, revoke_realm_token


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def show_personal_tokens(request: PageRequest) -> HttpResponse:
    """The person's tokens; a new one is shown in the answer that issues it, and never again."""
    return _answer(request, None)


@login_required
@never_cache
@require_POST
def drop_personal_token(request: PageRequest, token_id: int) -> HttpResponse:
    """Revoke one of the person's tokens."""
    with missing_is_404():
        revoke_personal_token(user=request.user, token_id=token_id)
    messages.success(request, "The token is revoked. Requests that use it are refused now.")
    return redirect("personal_tokens")


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def show_realm_tokens(request: PageRequest, realm_id: str) -> HttpResponse:
    """The realm's tokens; a new one is shown in the answer that issues it, and never again."""
    return _answer(request, get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN))


@login_required
@never_cache
@require_POST
def drop_realm_token(request: PageRequest, realm_id: str, token_id: int) -> HttpResponse:
    """Revoke one of the realm's tokens."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    with missing_is_404():
        revoke_realm_token(realm=realm, token_id=token_id)
    messages.success(request, "The token is revoked. Requests that use it are refused now.")
    return redirect("realms:tokens", realm.pk)


def _answer(request: PageRequest, realm: Realm | None) -> HttpResponse:
    form = ApiTokenForm(request.POST or None)
    issued, status = None, 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            with refusals_shown(form, at="label"):
                issued = issue_api_token(issued_by=Actor.of_person(request.user), realm=realm, **_wishes(form))
                form, status = ApiTokenForm(), 200
    tokens = list_personal_tokens(request.user) if realm is None else list_realm_tokens(realm)
    context = {"realm": realm, "tokens": tokens, "form": form, "issued": issued, "now": timezone.now()}
    template = "realms/personal_tokens.html" if realm is None else "realms/realm_tokens.html"
    return render(request, template, context, status=status)


def _wishes(form: ApiTokenForm) -> dict[str, Any]:
    days = int(form.cleaned_data["days"])
    return {
        "label": form.cleaned_data["label"],
        "scopes": [Scope(name) for name in form.cleaned_data["scopes"]],
        "expires_at": timezone.now() + timedelta(days=days) if days else None,
    }
