"""The quick start's path "Call webhooks": an inspector takes the calls, until the reader has a server that does."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import FanoutError
from onboarding.services import find_receiver, open_receiver_once
from onboarding.snippets import build_snippets
from publishing.inspector.services import inspector_url, list_requests, show_body
from publishing.models import InspectedRequest, Inspector
from publishing.webhooks.selectors import list_deliveries
from realms.http import PageRequest, get_realm_or_404
from realms.models import Realm
from realms.refusals import sentence
from realms.selectors import list_live_keys, site_urls
from realms.services import reveal_api_key

CHANNEL = "orders"
SHOWN = 10


@dataclass(frozen=True, slots=True)
class Came:
    """What the server saw of the receiver's channel, the newest request first, each with its body as text."""

    has_event: bool
    has_valid: bool
    requests: list[tuple[InspectedRequest, str]]

    @property
    def mark(self) -> str:
        """Changes with what is shown, so that nothing is replaced under a reader's eyes for nothing."""
        newest = self.requests[0][0].pk if self.requests else 0
        return f"{newest}.{self.has_event:d}"


@login_required
@never_cache
@require_GET
def show_webhook_start(request: PageRequest, realm_id: str) -> HttpResponse:
    """Three steps to the first call that came signed."""
    realm = get_realm_or_404(request.user, realm_id)
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    inspector = find_receiver(realm, CHANNEL)
    context = {
        "realm": realm,
        "key": key,
        "channel": CHANNEL,
        "inspector": inspector,
        "url": inspector_url(inspector) if inspector else "",
        "came": _read_came(realm, inspector) if inspector else None,
        "snippets": build_snippets(
            realm=realm.pk,
            key=reveal_api_key(realm=realm, key_id=key.pk),
            url=f"{site_urls(realm).api}/publish/",
            channel=CHANNEL,
            text="Order 42 is paid",
        ),
    }
    return render(request, "onboarding/webhook_start.html", context)


@login_required
@never_cache
@require_POST
def open_receiver(request: PageRequest, realm_id: str) -> HttpResponse:
    """Open an inspector that is called with what is published to the channel, unless there is one."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        open_receiver_once(realm, CHANNEL)
    except FanoutError as error:
        messages.error(request, sentence(error))
    return redirect("onboarding:webhook_start", realm.pk)


@login_required
@never_cache
@require_GET
def show_came(request: PageRequest, realm_id: str) -> HttpResponse:
    """The part of the page that it asks for again and again; 204 as long as it is as the page has it (`seen`)."""
    realm = get_realm_or_404(request.user, realm_id)
    inspector = find_receiver(realm, CHANNEL)
    if inspector is None:
        raise Http404
    came = _read_came(realm, inspector)
    if request.GET.get("seen") == came.mark:
        return HttpResponse(status=204)
    context = {"realm": realm, "inspector": inspector, "came": came}
    return render(request, "onboarding/_webhook_came.html", context)


def _read_came(realm: Realm, inspector: Inspector) -> Came:
    requests = list_requests(inspector)
    events = list_deliveries(realm, endpoint_id=inspector.endpoint_id, channel=CHANNEL)
    return Came(
        has_event=events.exists(),
        has_valid=requests.filter(verdict="valid").exists(),
        requests=[(one, show_body(one)) for one in requests[:SHOWN]],
    )
