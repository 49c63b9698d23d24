"""The page of a realm's members, and the page that an invitation leads to."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fanoutcloud.core.errors import FanoutError, NotFound
from realms.actors import Actor
from realms.forms import InviteForm, RoleForm
from realms.http import PageRequest, get_realm_or_404
from realms.models import Realm
from realms.refusals import refusals_shown, sentence
from realms.roles import Role
from realms.selectors import find_invitation, list_invitations, list_members
from realms.services.members import (
    accept_invitation,
    change_role,
    hand_over,
    invite_member,
    remove_member,
    withdraw_invitation,
)


@login_required
@never_cache
@require_GET
def show_members(request: PageRequest, realm_id: str) -> HttpResponse:
    """Everybody who may enter the realm, and who is invited."""
    return _render(request, get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER))


@login_required
@never_cache
@require_POST
def invite(request: PageRequest, realm_id: str) -> HttpResponse:
    """Invite somebody by e-mail."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = InviteForm(request.POST)
    if form.is_valid():
        email, role = form.cleaned_data["email"], Role(form.cleaned_data["role"])
        with refusals_shown(form, at="email"):
            invite_member(realm=realm, email=email, role=role, invited_by=request.user)
            messages.success(request, f"An invitation is on its way to {email}.")
            return redirect("realms:members", realm.pk)
    return _render(request, realm, form=form, status=422)


@login_required
@never_cache
@require_POST
def withdraw(request: PageRequest, realm_id: str, invitation_id: int) -> HttpResponse:
    """Withdraw an invitation."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    act = lambda: withdraw_invitation(realm=realm, invitation_id=invitation_id)  # noqa: E731
    return _do(request, realm, act, "The invitation is withdrawn.")


@login_required
@never_cache
@require_POST
def give_role(request: PageRequest, realm_id: str, user_id: int) -> HttpResponse:
    """Give a member another role."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.ADMIN)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return _render(request, realm, problem="Choose one of the roles.", status=422)
    role = Role(form.cleaned_data["role"])
    return _do(request, realm, lambda: change_role(realm=realm, user_id=user_id, role=role), "The role is changed.")


@login_required
@never_cache
@require_POST
def remove(request: PageRequest, realm_id: str, user_id: int) -> HttpResponse:
    """Remove a member, or leave."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    actor, is_own = Actor.of_person(request.user), user_id == request.user.pk
    done = f"You have left the realm {realm.pk}." if is_own else "The member is removed."
    act = lambda: remove_member(realm=realm, user_id=user_id, removed_by=actor)  # noqa: E731
    return _do(request, realm, act, done, next_page="realms:list" if is_own else "")


@login_required
@never_cache
@require_POST
def transfer(request: PageRequest, realm_id: str, user_id: int) -> HttpResponse:
    """Hand the realm over to another member."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.OWNER)
    done = "The realm is handed over. You are an admin of it now."
    return _do(request, realm, lambda: hand_over(realm=realm, user_id=user_id), done)


@never_cache
@require_http_methods(["GET", "POST"])
@login_required
def answer_invitation(request: PageRequest, secret: str) -> HttpResponse:
    """Show who invites to what; join on request."""
    if request.method == "POST":
        try:
            realm = accept_invitation(user=request.user, secret=secret)
        except NotFound as error:
            return render(request, "realms/invitation.html", {"problem": sentence(error)}, status=404)
        messages.success(request, "You are a member of this realm now.")
        return redirect("realms:detail", realm.pk)
    invitation = find_invitation(secret)
    status = 200 if invitation else 404
    return render(request, "realms/invitation.html", {"invitation": invitation}, status=status)


def _do(request: PageRequest, realm: Realm, act: Callable[[], None], done: str, *, next_page: str = "") -> HttpResponse:
    """Act, then show the page again with what came of it."""
    try:
        act()
    except NotFound as error:
        raise Http404 from error
    except FanoutError as error:
        return _render(request, realm, problem=sentence(error), status=error.http_status)
    messages.success(request, done)
    return redirect(next_page) if next_page else redirect("realms:members", realm.pk)


def _render(request: HttpRequest, realm: Realm, *, status: int = 200, **context: object) -> HttpResponse:
    page = {
        "realm": realm,
        "members": list_members(realm),
        "invitations": list_invitations(realm),
        "form": InviteForm(),
        "may_manage": Role(realm.role).is_at_least(Role.ADMIN),
    }
    return render(request, "realms/members.html", page | context, status=status)
