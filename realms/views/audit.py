"""The page of the audit log: who changed what in a realm."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from realms.audit import Action
from realms.http import PageRequest, get_realm_or_404
from realms.roles import Role
from realms.selectors import list_audit_entries

PAGE = 50


@login_required
@never_cache
@require_GET
def show_audit(request: PageRequest, realm_id: str) -> HttpResponse:
    """A page of changes, the newest first; `?before=` asks for older ones, `?action=` for those of one kind."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    action, before = request.GET.get("action", ""), request.GET.get("before", "")
    actions = [one.value for one in Action]
    action = action if action in actions else ""
    rows = list_audit_entries(realm, action=action)
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    entries = list(rows[: PAGE + 1])
    context = {
        "realm": realm,
        "entries": entries[:PAGE],
        "older": entries[PAGE - 1].pk if len(entries) > PAGE else None,
        "actions": actions,
        "action": action,
    }
    return render(request, "realms/audit.html", context)
