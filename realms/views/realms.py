"""Pages of realms: the list, one realm with its keys and addresses, the live console, deletion.

Forms work without a script; with htmx the answer is only the part of the page that changes.
"""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fanoutcloud.core.activity import TRANSPORTS
from realms.forms import DeleteRealmForm, LabelForm
from realms.http import PageRequest, get_realm_or_404
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.selectors import list_realms
from realms.services import create_realm, delete_realm, label_realm
from realms.views.pages import render_realm


@login_required
@never_cache
@require_GET
def show_realms(request: PageRequest) -> HttpResponse:
    """All realms of the user, and the form that adds one."""
    return render(request, "realms/list.html", {"realms": list_realms(request.user), "form": LabelForm()})


@login_required
@never_cache
@require_POST
def add_realm(request: PageRequest) -> HttpResponse:
    """Add a realm and lead to its quick start."""
    form = LabelForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="label"):
            created = create_realm(owner=request.user, label=form.cleaned_data["label"])
            return redirect("onboarding:quick_start", created.realm.pk)
    context = {"realms": list_realms(request.user), "form": form}
    return render(request, "realms/list.html", context, status=422)


@login_required
@never_cache
@require_GET
def show_realm(request: PageRequest, realm_id: str) -> HttpResponse:
    """One realm: label, addresses, keys."""
    return render_realm(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@login_required
@never_cache
@require_POST
def change_label(request: PageRequest, realm_id: str) -> HttpResponse:
    """Change the realm's label where it stands on the page."""
    realm = get_realm_or_404(request.user, realm_id)
    form = LabelForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="label"):
            label_realm(realm=realm, label=form.cleaned_data["label"])
    status = 200 if form.is_valid() else 422
    if request.htmx:
        context = {"realm": realm, "form": form, "is_saved": form.is_valid()}
        return render(request, "realms/_label_answer.html", context, status=status)
    if form.is_valid():
        messages.success(request, "The label is saved.")
        return redirect("realms:detail", realm.pk)
    return render_realm(request, realm, label_form=form, status=status)


@login_required
@never_cache
@require_GET
def show_console(request: PageRequest, realm_id: str) -> HttpResponse:
    """The live console: what is published and who is connected, as it happens."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    may_publish = Role(realm.role).is_at_least(Role.DEVELOPER)
    context = {"realm": realm, "transports": TRANSPORTS, "may_publish": may_publish}
    return render(request, "realms/console.html", context)


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def remove_realm(request: PageRequest, realm_id: str) -> HttpResponse:
    """Ask for the realm's id, then delete the realm with everything in it."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.OWNER)
    form = DeleteRealmForm(request.POST or None, realm=realm)
    if request.method == "POST" and form.is_valid():
        delete_realm(realm=realm)
        messages.success(request, f"The realm {realm_id} is deleted.")
        return redirect("realms:list")
    status = 422 if request.method == "POST" else 200
    return render(request, "realms/delete.html", {"realm": realm, "form": form}, status=status)
