"""The door of inspectors, and the pages that show what came."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from fanoutcloud.core.errors import BodyTooLarge, FanoutError
from publishing.inspector.errors import InspectorBusy, InspectorNotFound
from publishing.inspector.services import (
    MAX_BODY_BYTES,
    MAX_REQUESTS,
    close_inspector,
    get_inspector,
    inspector_url,
    list_requests,
    open_inspector,
    show_body,
    take_request,
)
from publishing.models import Inspector
from realms.http import PageRequest, get_realm_or_404, missing_is_404
from realms.models import Realm
from realms.refusals import sentence
from realms.roles import Role

SHOWN = 50
#: What proxies in front of us add, which the sender did not send.
_NOT_SENT = ("x-forwarded-", "x-real-ip", "forwarded", "via", "cookie")


@csrf_exempt  # whoever knows the name may send; nothing of a session is looked at
@never_cache
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take what is sent, and answer as a good receiver does."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        return _refuse(413, str(BodyTooLarge(MAX_BODY_BYTES)))
    headers = [(key.lower(), value) for key, value in request.headers.items() if not key.lower().startswith(_NOT_SENT)]
    try:
        row = take_request(
            name=name,
            method=str(request.method),
            query=request.META.get("QUERY_STRING", ""),
            headers=headers,
            body=request.body,
        )
    except InspectorNotFound as error:
        return _refuse(404, str(error))
    except BodyTooLarge as error:
        return _refuse(413, str(error))
    except InspectorBusy as error:
        answer = _refuse(429, str(error))
        answer["Retry-After"] = "1"
        return answer
    return JsonResponse({"received": True, "signature": row.verdict, "problem": row.problem})


@login_required
@never_cache
@require_POST
def open_one(request: PageRequest, realm_id: str) -> HttpResponse:
    """Open an inspector, and lead to it."""
    realm = get_realm_or_404(request.user, realm_id)
    try:
        inspector = open_inspector(realm=realm)
    except FanoutError as error:
        messages.error(request, sentence(error))
        return redirect("webhooks:list", realm.pk)
    return redirect("webhooks:inspector", realm.pk, inspector.pk)


@login_required
@never_cache
@require_GET
def show_inspector(request: PageRequest, realm_id: str, inspector_id: int) -> HttpResponse:
    """What came to an inspector; the page asks again every two seconds."""
    realm = get_realm_or_404(request.user, realm_id, at_least=Role.VIEWER)
    inspector = _get_or_404(realm, inspector_id)
    context = {
        "realm": realm,
        "inspector": inspector,
        "url": inspector_url(inspector),
        "requests": [(one, show_body(one), len(one.body)) for one in list_requests(inspector)[:SHOWN]],
        "kept": MAX_REQUESTS,
        "may_change": Role(realm.role).is_at_least(Role.DEVELOPER),
    }
    page = "_inspected.html" if request.htmx else "inspector.html"
    return render(request, f"publishing/webhooks/{page}", context)


@login_required
@never_cache
@require_POST
def close_one(request: PageRequest, realm_id: str, inspector_id: int) -> HttpResponse:
    """Close an inspector, with its endpoint."""
    realm = get_realm_or_404(request.user, realm_id)
    with missing_is_404():
        close_inspector(realm=realm, inspector_id=inspector_id)
    messages.success(request, "The inspector is closed, and its endpoint removed.")
    return redirect("webhooks:list", realm.pk)


def _get_or_404(realm: Realm, inspector_id: int) -> Inspector:
    with missing_is_404():
        return get_inspector(realm, inspector_id)


def _refuse(status: int, problem: str) -> HttpResponse:
    return JsonResponse({"received": False, "problem": problem}, status=status)
