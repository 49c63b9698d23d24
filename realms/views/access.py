"""The page about subscriber tokens: the doctor, a maker, public keys, revocations."""

import re

from asgiref.sync import async_to_sync
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import FanoutError
from realms.access import examine, list_revocations, list_token_keys
from realms.access_forms import ExamineForm, MakeTokenForm, RevokeForm, TokenKeysForm
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm, Revocation
from realms.refusals import refusals_shown, sentence
from realms.roles import Role
from realms.selectors import list_live_keys
from realms.services import (
    add_token_keys,
    make_token,
    remove_token_keys,
    revoke_token,
    revoke_user,
    withdraw_revocation,
)
from realms.services.key_fetching import fetch_token_keys
from realms.token_snippets import build_token_snippets

#: Shown on the page; the API lists all.
MAX_SHOWN_REVOCATIONS = 100


@login_required
@never_cache
@require_GET
def show_access(request: PageRequest, realm_id: str) -> HttpResponse:
    """All about tokens in this realm."""
    return _render(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@sensitive_post_parameters("token")
@login_required
@never_cache
@require_POST
def examine_token(request: PageRequest, realm_id: str) -> HttpResponse:
    """Tell what a token is good for. It is neither kept nor shown again."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    form = ExamineForm(request.POST)
    if form.is_valid():
        channel = form.cleaned_data["channel"]
        with refusals_shown(form, at="channel"):
            report = examine(realm, form.cleaned_data["token"], channel=channel)
            return _render(
                request, realm, report=report, asked=channel, examine_form=ExamineForm(initial={"channel": channel})
            )
    return _render(request, realm, examine_form=form, is_examined=True, status=422)


@login_required
@never_cache
@require_POST
def make(request: PageRequest, realm_id: str) -> HttpResponse:
    """Make a token to try things out with, and show it, this once."""
    realm = get_realm_or_404(request.user, realm_id)
    form = MakeTokenForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        channels = dict.fromkeys(re.split(r"[\s,]+", given["channels"].strip()), given["capabilities"])
        try:
            token = make_token(realm=realm, user=given["user"], channels=channels, lifetime_s=given["lifetime_s"])
        except FanoutError as error:
            form.add_error("user" if (error.field or "").endswith("sub") else "channels", sentence(error))
        else:
            return _render(request, realm, make_form=form, made=token)
    return _render(request, realm, make_form=form, status=422)


@login_required
@never_cache
@require_POST
def add_keys(request: PageRequest, realm_id: str) -> HttpResponse:
    """Accept tokens of a customer's own keys."""
    realm = get_realm_or_404(request.user, realm_id)
    form = TokenKeysForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        try:
            _add_keys(realm, given["document"].strip(), label=given["label"], issuer=given["issuer"])
        except FanoutError as error:
            place = "" if error.field in (None, *form.fields) else f"{error.field}: "
            form.add_error(error.field if error.field in form.fields else "document", f"{place}{sentence(error)}")
        else:
            messages.success(request, "Tokens signed with these keys are accepted now.")
            return redirect("realms:access", realm.pk)
    return _render(request, realm, keys_form=form, status=422)


def _add_keys(realm: Realm, text: str, *, label: str, issuer: str) -> None:
    """Add pasted keys, or those of a URL, which are fetched at once."""
    if not text.startswith(("https://", "http://")):
        add_token_keys(realm=realm, document=text, label=label, issuer=issuer)
        return
    row = add_token_keys(realm=realm, url=text, label=label, issuer=issuer)
    async_to_sync(fetch_token_keys)(row.pk)


@login_required
@never_cache
@require_POST
def remove_keys(request: PageRequest, realm_id: str, key_set_id: int) -> HttpResponse:
    """Accept these keys no more."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    with missing_is_404():
        remove_token_keys(realm=realm, key_set_id=key_set_id)
    messages.success(request, "The keys are removed. Connections that came by them end now.")
    return redirect("realms:access", realm.pk)


@login_required
@never_cache
@require_POST
def revoke(request: PageRequest, realm_id: str) -> HttpResponse:
    """Revoke a token, or all of a user."""
    realm = get_realm_or_404(request.user, realm_id)
    form = RevokeForm(request.POST)
    if form.is_valid():
        name = form.cleaned_data["name"]
        with refusals_shown(form, at="name"):
            if form.cleaned_data["kind"] == Revocation.Kind.USER:
                revoke_user(realm=realm, user=name)
            else:
                revoke_token(realm=realm, token_id=name)
            messages.success(request, "Revoked. Connections that came by it end now.")
            return redirect("realms:access", realm.pk)
    return _render(request, realm, revoke_form=form, status=422)


@login_required
@never_cache
@require_POST
def withdraw(request: PageRequest, realm_id: str, revocation_id: int) -> HttpResponse:
    """Let revoked tokens hold again."""
    realm = get_realm_or_404(request.user, realm_id)
    with missing_is_404():
        withdraw_revocation(realm=realm, revocation_id=revocation_id)
    messages.success(request, "The revocation is withdrawn.")
    return redirect("realms:access", realm.pk)


def _render(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    keys = list(list_live_keys(realm))
    page: dict[str, object] = {
        "realm": realm,
        "examine_form": ExamineForm(),
        "make_form": MakeTokenForm(initial={"capabilities": ["subscribe"], "lifetime_s": 3600}),
        "keys_form": TokenKeysForm(),
        "revoke_form": RevokeForm(),
        "key_sets": list_token_keys(realm),
        "revocations": list_revocations(realm)[:MAX_SHOWN_REVOCATIONS],
        "snippets": build_token_snippets(realm=realm.pk, key_id=str(keys[0].pk) if keys else ""),
        "may_change": Role(realm.role).is_at_least(Role.DEVELOPER),
        "may_remove_keys": Role(realm.role).is_at_least(Role.ADMIN),
    }
    return render(request, "realms/access.html", page | context, status=status)
