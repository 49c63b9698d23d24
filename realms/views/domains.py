"""Pages of a realm's domains: the list, one domain with its proof, servers and rules.

Looking takes a viewer, changing an admin. Forms work without a script; with htmx the proof is looked for in place.
"""

from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from realms.domain_documents import read_domain
from realms.domain_forms import DomainForm, DomainNameForm
from realms.errors import DomainNotFound, DomainTaken, InvalidDomainSetting
from realms.hosts import own_hosts
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm, RealmDomain
from realms.proofs import FILE_PATH, RECORD_LABEL
from realms.refusals import refusals_shown
from realms.roles import Role
from realms.selectors import domain_name_in_path, list_domains, list_live_keys, site_urls
from realms.services import claim_domain, remove_domain, reveal_api_key, set_up_domain
from realms.services.domains import get_domain
from realms.services.proving import prove_domain


@dataclass(frozen=True, slots=True)
class ProofSteps:
    """What the owner of a name has to do, ready to copy."""

    record_name: str
    record_text: str
    file_url: str
    alias_target: str


@login_required
@never_cache
@require_GET
def show_domains(request: PageRequest, realm_id: str) -> HttpResponse:
    """All domains of the realm, and the form that adds one."""
    return _render_list(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@login_required
@never_cache
@require_POST
def add_domain(request: PageRequest, realm_id: str) -> HttpResponse:
    """Claim a name and lead to what proves it."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = DomainNameForm(request.POST)
    if form.is_valid():
        with refusals_shown(form, at="name"):
            row = claim_domain(realm=realm, name=form.cleaned_data["name"])
            return redirect("realms:domain", realm.pk, row.name)
    return _render_list(request, realm, form=form, status=422)


@login_required
@never_cache
@require_GET
def show_domain(request: PageRequest, realm_id: str, name: str) -> HttpResponse:
    """One domain: its proof, its servers, its rules."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    return _render_domain(request, realm, _get_row_or_404(realm, name))


@login_required
@never_cache
@require_POST
def change_domain(request: PageRequest, realm_id: str, name: str) -> HttpResponse:
    """Set the domain up as the form says."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    row = _get_row_or_404(realm, name)
    form = DomainForm(request.POST)
    wanted = form.read(read_domain(row))
    if wanted is not None:
        try:
            set_up_domain(realm=realm, name=row.name, domain=wanted)
        except InvalidDomainSetting as error:
            form.refuse(error)
    if not form.is_valid():
        return _render_domain(request, realm, row, form=form, status=422)
    messages.success(request, "Saved. Every edge goes by it within a second; open connections stay.")
    return redirect("realms:domain", realm.pk, name)


@login_required
@never_cache
@require_POST
async def check_domain(request: PageRequest, realm_id: str, name: str) -> HttpResponse:
    """Look for the proof now."""
    user = await request.auser()
    realm = await sync_to_async(get_realm_or_404)(user, realm_id, at_least=Role.ADMIN)
    row = await sync_to_async(_get_row_or_404)(realm, name)
    if not row.name:
        raise Http404
    try:
        row = await prove_domain(row)
    except DomainNotFound as error:
        raise Http404 from error
    except DomainTaken:
        row = await sync_to_async(_get_row_or_404)(realm, name)  # it says so
    if request.htmx:
        return await sync_to_async(_render_proof)(request, realm, row)
    return redirect("realms:domain", realm.pk, row.name)


@login_required
@never_cache
@require_POST
def drop_domain(request: PageRequest, realm_id: str, name: str) -> HttpResponse:
    """Give a name up."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    with missing_is_404():
        remove_domain(realm=realm, name=domain_name_in_path(realm, name))
    messages.success(request, f"{name} is removed. Other realms can have it now.")
    return redirect("realms:domains", realm.pk)


def _get_row_or_404(realm: Realm, name: str) -> RealmDomain:
    with missing_is_404():
        return get_domain(realm=realm, name=domain_name_in_path(realm, name))


def _render_list(request: PageRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    page = {
        "realm": realm,
        "urls": site_urls(realm),
        "domains": [(row, read_domain(row)) for row in list_domains(realm)],
        "form": DomainNameForm(),
        "may_change": Role(realm.role).is_at_least(Role.ADMIN),
        "grip_url": _find_grip_url(realm),
    }
    return render(request, "realms/domains.html", page | context, status=status)


def _render_domain(
    request: PageRequest, realm: Realm, row: RealmDomain, *, status: int = 200, **context: object
) -> HttpResponse:
    page = _proof_context(realm, row) | {
        "urls": site_urls(realm),
        "form": DomainForm.of(read_domain(row)),
        "grip_url": _find_grip_url(realm),
    }
    return render(request, "realms/domain.html", page | context, status=status)


def _render_proof(request: PageRequest, realm: Realm, row: RealmDomain) -> HttpResponse:
    context = _proof_context(realm, row) | {"is_checked_now": True}
    return render(request, "realms/_domain_proof.html", context)


def _proof_context(realm: Realm, row: RealmDomain) -> dict[str, object]:
    return {
        "realm": realm,
        "row": row,
        "path_name": row.name or "default",
        "may_change": Role(realm.role).is_at_least(Role.ADMIN),
        "steps": _proof_steps(realm, row),
    }


def _proof_steps(realm: Realm, row: RealmDomain) -> ProofSteps:
    return ProofSteps(
        record_name=f"{RECORD_LABEL}.{row.name}",
        record_text=row.challenge,
        file_url=f"http://{row.name}{FILE_PATH}{row.challenge}",
        alias_target=f"{realm.pk}.{own_hosts(settings).edge_host}",
    )


def _find_grip_url(realm: Realm) -> str:
    """Return the setting for GRIP libraries, which holds a key: for those who may see one."""
    if not Role(realm.role).is_at_least(Role.DEVELOPER):
        return ""
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    return site_urls(realm).grip_url(reveal_api_key(realm=realm, key_id=key.pk))
