"""The page of a realm's channel rules: list, add, edit, remove, and which rule holds for a name."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import InvalidRequest
from realms.access import explain_rule, list_rules
from realms.access_forms import RuleForm
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm, RealmRule
from realms.refusals import refusals_shown, sentence
from realms.roles import Role
from realms.rule_settings import RuleSettings, parse_settings
from realms.services import add_rule, change_rule, remove_rule


@login_required
@never_cache
@require_GET
def show_rules(request: PageRequest, realm_id: str) -> HttpResponse:
    """All rules; `?channel=` tells which holds for a name, `?edit=` opens one."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    context: dict[str, Any] = {}  # what templates take
    if "channel" in request.GET:
        context = _explain(realm, request.GET["channel"])
    if "edit" in request.GET:
        row = next((row for row in list_rules(realm) if str(row.pk) == request.GET["edit"]), None)
        if row is None:
            raise Http404
        context |= {"edited": row, "form": RuleForm({"access": "public", **row.document, "pattern": row.pattern})}
    return _render(request, realm, **context)


def _explain(realm: Realm, channel: str) -> dict[str, Any]:  # Any: what templates take
    try:
        return {"asked": channel, "explanation": explain_rule(realm, channel)}
    except InvalidRequest as error:
        return {"asked": channel, "asked_problem": sentence(error)}


@login_required
@never_cache
@require_POST
def add(request: PageRequest, realm_id: str) -> HttpResponse:
    """Add a rule."""
    realm = get_realm_or_404(request.user, realm_id)
    return _save(
        request,
        realm,
        lambda pattern, settings: add_rule(realm=realm, pattern=pattern, settings=settings),
        "The rule holds now, on open connections too.",
    )


@login_required
@never_cache
@require_POST
def change(request: PageRequest, realm_id: str, rule_id: int) -> HttpResponse:
    """Change a rule."""
    realm = get_realm_or_404(request.user, realm_id)
    row = next((row for row in list_rules(realm) if row.pk == rule_id), None)
    if row is None:
        raise Http404
    return _save(
        request,
        realm,
        lambda pattern, settings: change_rule(realm=realm, rule_id=rule_id, pattern=pattern, settings=settings),
        "The rule is changed, for open connections too.",
        edited=row,
    )


@login_required
@never_cache
@require_POST
def remove(request: PageRequest, realm_id: str, rule_id: int) -> HttpResponse:
    """Remove a rule."""
    realm = get_realm_or_404(request.user, realm_id)
    with missing_is_404():
        remove_rule(realm=realm, rule_id=rule_id)
    messages.success(request, "The rule is removed.")
    return redirect("realms:rules", realm.pk)


def _save(
    request: PageRequest,
    realm: Realm,
    store: Callable[[str, RuleSettings], RealmRule],
    done: str,
    *,
    edited: RealmRule | None = None,
) -> HttpResponse:
    form = RuleForm(request.POST)
    if form.is_valid():
        with refusals_shown(form):
            store(form.cleaned_data["pattern"], parse_settings(form.document))
            messages.success(request, done)
            return redirect("realms:rules", realm.pk)
    return _render(request, realm, form=form, edited=edited, status=422)


def _render(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    page: dict[str, object] = {
        "realm": realm,
        "rules": list_rules(realm),
        "form": RuleForm(),
        "may_change": Role(realm.role).is_at_least(Role.DEVELOPER),
    }
    return render(request, "realms/rules.html", page | context, status=status)
