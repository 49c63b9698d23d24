"""Keys on the page of a realm: added, shown, revoked."""

from dataclasses import dataclass, field

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from fanoutcloud.core.errors import FanoutError
from realms.errors import InvalidLabel, KeyNotFound
from realms.forms import LabelForm
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm
from realms.refusals import sentence
from realms.roles import Role
from realms.selectors import list_live_keys, site_urls
from realms.services import issue_api_key, reveal_api_key, revoke_api_key
from realms.views.pages import render_realm


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key whose secret this one answer shows."""

    key_id: int
    secret: str = field(repr=False)
    grip_url: str = field(repr=False)
    is_new: bool = False


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
        form.add_error("label", sentence(error))
        return _render_keys(request, realm, key_form=form, status=422)
    except FanoutError as error:
        return _render_keys(request, realm, problem=sentence(error), status=error.http_status)
    return _render_keys(request, realm, shown=_show(realm, issued.key.pk, issued.secret, is_new=True))


@login_required
@never_cache
@require_POST
def reveal_key(request: PageRequest, realm_id: str, key_id: int) -> HttpResponse:
    """Show the secret of one key, on request."""
    realm = get_realm_or_404(request.user, realm_id)
    with missing_is_404():
        secret = reveal_api_key(realm=realm, key_id=key_id)
    return _render_keys(request, realm, shown=_show(realm, key_id, secret))


@login_required
@never_cache
@require_POST
def revoke_key(request: PageRequest, realm_id: str, key_id: int) -> HttpResponse:
    """Revoke one key; the last one stays."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    try:
        revoke_api_key(realm=realm, key_id=key_id)
    except KeyNotFound as error:
        raise Http404 from error
    except FanoutError as error:
        return _render_keys(request, realm, problem=sentence(error), status=error.http_status)
    if request.htmx:
        return _render_keys(request, realm, note="The key is revoked. Requests that use it are refused now.")
    messages.success(request, "The key is revoked. Requests that use it are refused now.")
    return redirect("realms:detail", realm.pk)


def _render_keys(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    """Answer with the card of keys alone to htmx, else with the whole page."""
    if not request.htmx:
        return render_realm(request, realm, status=status, **context)
    card = {"realm": realm, "keys": list_live_keys(realm), "key_form": LabelForm()}
    return render(request, "realms/_keys.html", card | context, status=status)


def _show(realm: Realm, key_id: int, secret: str, *, is_new: bool = False) -> ShownKey:
    return ShownKey(key_id=key_id, secret=secret, grip_url=site_urls(realm).grip_url(secret), is_new=is_new)
