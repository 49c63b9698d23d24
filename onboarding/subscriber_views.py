"""A page that shows what is published to one channel, made for phones; and what search engines are told."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import find_realm_id, parse_channel_name

_ROBOTS = """\
User-agent: *
Disallow: /r/
Disallow: /s/
Disallow: /realm/
Disallow: /realms/
Disallow: /keep/
Disallow: /sandbox/
Disallow: /accounts/
Disallow: /invitations/
Disallow: /live/
"""


@require_GET
def show_subscriber(request: HttpRequest, realm_id: str, channel: str) -> HttpResponse:
    """Show items of the channel as they come.

    The page is the same for every realm, one that does not exist included: what may be read is the edge's to decide,
    when the page's script connects.
    """
    realm = find_realm_id(realm_id)
    try:
        name = parse_channel_name(channel)
    except FanoutError as error:
        raise Http404 from error
    if realm is None:
        raise Http404
    context = {"realm": realm, "channel": name, "host": settings.PUBLIC_URL.partition("://")[2]}
    response = render(request, "onboarding/subscriber.html", context)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response


@cache_control(max_age=3600)
@require_GET
def show_robots(request: HttpRequest) -> HttpResponse:
    """Tell search engines to leave realms and people's pages alone."""
    return HttpResponse(_ROBOTS, content_type="text/plain; charset=utf-8")
