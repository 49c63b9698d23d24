"""The first page, and the quick start of a realm."""

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import FanoutError
from onboarding.first_page import read_first_sheet
from onboarding.forms import SendForm
from onboarding.sending import send_text
from onboarding.services import get_progress
from onboarding.snippets import build_listen_command, build_listen_page, build_snippets
from onboarding.visitors import find_visitors_sandbox, show_sandbox
from realms.forms import LabelForm
from realms.http import PageRequest, get_realm_or_404
from realms.selectors import list_live_keys, site_urls
from realms.services import reveal_api_key

CHANNEL = "hello"


@never_cache
@gzip_page  # it says nothing that the one who asks chose, which could be guessed at by the length
@require_GET
def show_landing(request: HttpRequest) -> HttpResponse:
    """What Fanout Cloud is, with a sandbox to try it in for whoever is not signed in."""
    sandbox = None if request.user.is_authenticated else find_visitors_sandbox(request.session)
    context = {
        "public_url": settings.PUBLIC_URL,
        "sheet": read_first_sheet(),
        "has_sandboxes": settings.SANDBOXES > 0,
        "sandbox": show_sandbox(sandbox) if sandbox else None,
        "form": SendForm(),
    }
    return render(request, "onboarding/landing.html", context)


@login_required
@never_cache
@require_GET
def show_quick_start(request: PageRequest, realm_id: str) -> HttpResponse:
    """Three steps to the first item received, with the realm's oldest live key in the snippets."""
    realm = get_realm_or_404(request.user, realm_id)
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    urls = site_urls(realm)
    context = {
        "realm": realm,
        "urls": urls,
        "key": key,
        "channel": CHANNEL,
        "snippets": build_snippets(
            realm=realm.pk,
            key=reveal_api_key(realm=realm, key_id=key.pk),
            url=f"{urls.api}/publish/",
            channel=CHANNEL,
        ),
        "listen_command": build_listen_command(site=urls.path_form, channel=CHANNEL),
        "listen_page": build_listen_page(site=urls.path_form, channel=CHANNEL),
        "progress": get_progress(realm),
        "label_form": LabelForm({"label": realm.label}),
        "form": SendForm(),
    }
    return render(request, "onboarding/quick_start.html", context)


@login_required
@never_cache
@require_POST
async def send(request: PageRequest, realm_id: str) -> HttpResponse:
    """Publish the text of the form to the quick start's channel."""
    user = await request.auser()
    realm = await sync_to_async(get_realm_or_404)(user, realm_id)
    form = SendForm(request.POST)
    problem, status = "", 200
    if form.is_valid():
        try:
            await send_text(realm_id=realm.pk, channel=CHANNEL, text=form.cleaned_data["text"])
        except FanoutError as error:
            problem, status = error.line, error.http_status
    else:
        problem, status = str(form.errors["text"][0]), 422
    if request.htmx:
        return render(request, "onboarding/_sent.html", {"problem": problem}, status=status)
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, f"Sent to the channel {CHANNEL}.")
    return redirect("onboarding:quick_start", realm.pk)
