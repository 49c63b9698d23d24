"""The quick start's third path: "Notify my team"."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from onboarding.notify_examples import build_notify_examples
from onboarding.qr_codes import draw_qr_code
from onboarding.services import get_progress
from onboarding.snippets import build_listen_command
from onboarding.visitors import subscriber_page_url
from realms.hosts import serves_this_machine_only
from realms.http import PageRequest, get_realm_or_404
from realms.selectors import list_live_keys, site_urls
from realms.services import reveal_api_key

CHANNEL = "alerts"


@login_required
@never_cache
@require_GET
def show_notify_start(request: PageRequest, realm_id: str) -> HttpResponse:
    """Where the team watches, and what its scripts, timers and pipelines send."""
    realm = get_realm_or_404(request.user, realm_id)
    key = list_live_keys(realm)[0]  # a realm always has one: the last is never revoked
    urls = site_urls(realm)
    page_url = subscriber_page_url(realm, CHANNEL)
    context = {
        "realm": realm,
        "key": key,
        "channel": CHANNEL,
        "page_url": page_url,
        "qr_code": draw_qr_code(page_url),
        "is_local": serves_this_machine_only(settings),
        "examples": build_notify_examples(
            realm=realm.pk,
            key=reveal_api_key(realm=realm, key_id=key.pk),
            url=f"{urls.api}/publish/",
            channel=CHANNEL,
        ),
        "listen_command": build_listen_command(site=urls.path_form, channel=CHANNEL),
        "progress": get_progress(realm),
    }
    return render(request, "onboarding/notify_start.html", context)
