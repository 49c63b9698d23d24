"""The sandbox on the first page: opened, published to, kept. All of it works without a script, too.

A sandbox is made by a POST, never by loading a page: programs that only fetch pages leave nothing behind.
"""

from allauth.account.utils import perform_login
from allauth.core import ratelimit
from asgiref.sync import sync_to_async
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_POST

from accounts.selectors import is_registered
from fanoutcloud.core.errors import FanoutError, NotFound
from onboarding.forms import KeepForm, SendForm
from onboarding.keeping import KeepRequest, keep, mail_link, read_link
from onboarding.sending import send_text
from onboarding.visitors import CHANNEL, find_visitors_sandbox, open_visitors_sandbox, show_sandbox
from realms.http import PageRequest
from realms.models import Sandbox
from realms.refusals import sentence
from realms.sandbox_errors import SandboxNotFound


@never_cache
@gzip_page  # as the first page, of which it is a part
@require_POST
def open_sandbox(request: PageRequest) -> HttpResponse:
    """Give this browser a sandbox, or the one that it has."""
    try:
        sandbox = open_visitors_sandbox(request.session, address=request.META.get("REMOTE_ADDR") or "")
    except FanoutError as error:
        return _refuse_sandbox(request, error)
    if request.htmx:
        return render(request, "onboarding/_sandbox.html", _shown(sandbox))
    return redirect(f"{reverse('onboarding:landing')}#try")


@never_cache
@require_POST
async def send(request: PageRequest) -> HttpResponse:
    """Publish the text of the form to this browser's sandbox."""
    form = SendForm(request.POST)
    problem, status = "", 200
    try:
        sandbox = await sync_to_async(_get_sandbox)(request)
        if form.is_valid():
            await send_text(realm_id=sandbox.realm_id, channel=CHANNEL, text=form.cleaned_data["text"])
        else:
            problem, status = str(form.errors["text"][0]), 422
    except FanoutError as error:
        problem, status = error.line, 422 if isinstance(error, NotFound) else error.http_status
    if request.htmx:
        return render(request, "onboarding/_sent.html", {"problem": problem}, status=status)
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, f"Sent to the channel {CHANNEL}.")
    return redirect(f"{reverse('onboarding:landing')}#try")


@never_cache
@require_POST
def ask_to_keep(request: PageRequest) -> HttpResponse:
    """Mail the link by which this browser's sandbox becomes a realm of an account."""
    form = KeepForm(request.POST)
    problem, status = "", 200
    try:
        sandbox = _get_sandbox(request)
        if not form.is_valid():
            problem, status = str(form.errors["email"][0]), 422
        elif not ratelimit.consume(request, action="keep_sandbox", key=form.cleaned_data["email"].lower()):
            problem, status = "Too many links were asked for; try again in an hour.", 429
        else:
            mail_link(sandbox=sandbox, email=form.cleaned_data["email"])
    except FanoutError as error:
        problem, status = sentence(error), 422
    context = {"problem": problem, "email": request.POST.get("email", ""), "is_sent": not problem}
    if request.htmx:
        return render(request, "onboarding/_keep.html", context, status=status)
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, f"A link is on its way to {context['email']}. Open it, and the sandbox is yours.")
    return redirect(f"{reverse('onboarding:landing')}#try")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_keeping(request: HttpRequest, token: str) -> HttpResponse:
    """Show what the link keeps; a POST keeps it and signs its reader in.

    Not done by following the link: programs that look at the links of mails would do it.
    """
    try:
        wanted = read_link(token)
        if request.method == "POST":
            return _keep(request, wanted)
    except SandboxNotFound:
        return render(request, "onboarding/keep_over.html", status=404)
    except FanoutError as error:
        messages.error(request, sentence(error))
    context = {"email": wanted.email, "sandbox": wanted.sandbox, "has_account": is_registered(wanted.email)}
    return render(request, "onboarding/keep.html", context)


def _keep(request: HttpRequest, wanted: KeepRequest) -> HttpResponse:
    user, realm = keep(wanted)
    messages.success(request, "It is yours now. Key, addresses and open connections are as they were.")
    response: HttpResponse = perform_login(
        request, user, redirect_url=reverse("onboarding:quick_start", args=[realm.pk])
    )
    return response


def _get_sandbox(request: HttpRequest) -> Sandbox:
    sandbox = find_visitors_sandbox(request.session)
    if sandbox is None:
        raise SandboxNotFound
    return sandbox


def _shown(sandbox: Sandbox) -> dict[str, object]:
    return {"sandbox": show_sandbox(sandbox), "form": SendForm()}


def _refuse_sandbox(request: PageRequest, error: FanoutError) -> HttpResponse:
    if request.htmx:
        response = render(request, "onboarding/_no_sandbox.html", {"error": error}, status=429)
        response["Retry-After"] = str(getattr(error, "retry_after_s", 600))
        return response
    messages.error(request, sentence(error))
    return redirect("account_signup")
