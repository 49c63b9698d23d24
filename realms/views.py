"""Pages of realms: the list, one realm with its keys and addresses, the live console, deletion.

Forms work without a script; with htmx the answer is only the part of the page that changes.
"""

from dataclasses import dataclass, field

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fanoutcloud.core.errors import FanoutError
from realms.errors import InvalidLabel, KeyNotFound
from realms.forms import DeleteRealmForm, LabelForm
from realms.http import PageRequest, get_realm_or_404
from realms.models import Realm
from realms.selectors import list_live_keys, list_realms, site_urls
from realms.services import (
    create_realm,
    delete_realm,
    issue_api_key,
    label_realm,
    reveal_api_key,
    revoke_api_key,
)
from realms.transports import list_transports


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key whose secret this one answer shows."""

    key_id: int
    secret: str = field(repr=False)
    grip_url: str = field(repr=False)
    is_new: bool = False


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
        try:
            created = create_realm(owner=request.user, label=form.cleaned_data["label"])
        except FanoutError as error:
            form.add_error("label", _sentence(error))
        else:
            return redirect("onboarding:quick_start", created.realm.pk)
    context = {"realms": list_realms(request.user), "form": form}
    return render(request, "realms/list.html", context, status=422)


@login_required
@never_cache
@require_GET
def show_realm(request: PageRequest, realm_id: str) -> HttpResponse:
    """One realm: label, addresses, keys."""
    return _render_realm(request, get_realm_or_404(request.user, realm_id))


@login_required
@never_cache
@require_POST
def change_label(request: PageRequest, realm_id: str) -> HttpResponse:
    """Change the realm's label where it stands on the page."""
    realm = get_realm_or_404(request.user, realm_id)
    form = LabelForm(request.POST)
    if form.is_valid():
        try:
            label_realm(realm=realm, label=form.cleaned_data["label"])
        except InvalidLabel as error:
            form.add_error("label", _sentence(error))
    status = 200 if form.is_valid() else 422
    if request.htmx:
        context = {"realm": realm, "form": form, "is_saved": form.is_valid()}
        return render(request, "realms/_label_answer.html", context, status=status)
    if form.is_valid():
        messages.success(request, "The label is saved.")
        return redirect("realms:detail", realm.pk)
    return _render_realm(request, realm, label_form=form, status=status)


@login_required
@never_cache
@require_POST
def add_key(request: PageRequest, realm_id: str) -> HttpResponse:
    """Add a key and show it, this once."""
    realm = get_realm_or_404(request.user, realm_id)
    form = LabelForm(request.POST)
    if not form.is_valid():
        return _render_keys(request, realm, key_form=form, status=422)
    try:
        issued = issue_api_key(realm=realm, issued_by=request.user, label=form.cleaned_data["label"])
    except InvalidLabel as error:
        form.add_error("label", _sentence(error))
        return _render_keys(request, realm, key_form=form, status=422)
    except FanoutError as error:
        return _render_keys(request, realm, problem=_sentence(error), status=error.http_status)
    return _render_keys(request, realm, shown=_show(realm, issued.key.pk, issued.secret, is_new=True))


@login_required
@never_cache
@require_POST
def reveal_key(request: PageRequest, realm_id: str, key_id: int) -> HttpResponse:
    """Show the secret of one key, on request."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        secret = reveal_api_key(realm=realm, key_id=key_id)
    except KeyNotFound as error:
        raise Http404 from error
    return _render_keys(request, realm, shown=_show(realm, key_id, secret))


@login_required
@never_cache
@require_POST
def revoke_key(request: PageRequest, realm_id: str, key_id: int) -> HttpResponse:
    """Revoke one key; the last one stays."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        revoke_api_key(realm=realm, key_id=key_id)
    except KeyNotFound as error:
        raise Http404 from error
    except FanoutError as error:
        return _render_keys(request, realm, problem=_sentence(error), status=error.http_status)
    if request.htmx:
        return _render_keys(request, realm, note="The key is revoked. Requests that use it are refused now.")
    messages.success(request, "The key is revoked. Requests that use it are refused now.")
    return redirect("realms:detail", realm.pk)


@login_required
@never_cache
@require_GET
def show_console(request: PageRequest, realm_id: str) -> HttpResponse:
    """The live console: what is published and who is connected, as it happens."""
    return render(request, "realms/console.html", {"realm": get_realm_or_404(request.user, realm_id)})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def remove_realm(request: PageRequest, realm_id: str) -> HttpResponse:
    """Ask for the realm's id, then delete the realm with everything in it."""
    realm = get_realm_or_404(request.user, realm_id)
    form = DeleteRealmForm(request.POST or None, realm=realm)
    if request.method == "POST" and form.is_valid():
        delete_realm(realm=realm)
        messages.success(request, f"The realm {realm_id} is deleted.")
        return redirect("realms:list")
    status = 422 if request.method == "POST" else 200
    return render(request, "realms/delete.html", {"realm": realm, "form": form}, status=status)


def _render_realm(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    page = {
        "realm": realm,
        "urls": site_urls(realm),
        "transports": list_transports(realm),
        "keys": list_live_keys(realm),
        "label_form": LabelForm({"label": realm.label}),
        "key_form": LabelForm(),
    }
    return render(request, "realms/detail.html", page | context, status=status)


def _render_keys(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    """Answer with the card of keys alone to htmx, else with the whole page."""
    if not request.htmx:
        return _render_realm(request, realm, status=status, **context)
    card = {"realm": realm, "keys": list_live_keys(realm), "key_form": LabelForm()}
    return render(request, "realms/_keys.html", card | context, status=status)


def _show(realm: Realm, key_id: int, secret: str, *, is_new: bool = False) -> ShownKey:
    return ShownKey(key_id=key_id, secret=secret, grip_url=site_urls(realm).grip_url(secret), is_new=is_new)


def _sentence(error: FanoutError) -> str:
    """Word problem and cure for the page."""
    cure = f" {error.cure[0].upper()}{error.cure[1:]}." if error.cure else ""
    return f"{error.message[0].upper()}{error.message[1:]}.{cure}"
