"""Letting a program in: two addresses that the program asks, and the page where a person answers."""

from urllib.parse import urlencode

from allauth.core import ratelimit
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from fanoutcloud.core.errors import FanoutError, InvalidRequest, RateLimited
from realms.errors import DeviceLoginNotFound
from realms.http import PageRequest
from realms.models import DeviceLogin
from realms.refusals import sentence
from realms.scopes import Scope
from realms.selectors import get_device_login
from realms.services.api_tokens import give_back_token
from realms.services.device_logins import (
    ASK_EVERY,
    LIFE,
    TOKEN_LIFE,
    begin_device_login,
    claim_device_login,
    decide_device_login,
)

MAX_CODE_CHARACTERS = 20


@csrf_exempt  # no cookie is looked at: programs have none
@never_cache
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """A program asks to be let in. Form fields: `label`, and `scope` with blanks between scopes."""
    try:
        begun = begin_device_login(
            label=request.POST.get("label", ""),
            scopes=_read_scopes(request.POST.get("scope", "")),
            address=request.META.get("REMOTE_ADDR") or "",
        )
    except FanoutError as error:
        return _refuse(error)
    page = settings.PUBLIC_URL + reverse("device")
    return JsonResponse(
        {
            "device_code": begun.secret,
            "user_code": begun.login.shown_code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?{urlencode({'code': begun.login.shown_code})}",
            "expires_in": int(LIFE.total_seconds()),
            "interval": int(ASK_EVERY.total_seconds()),
        }
    )


@csrf_exempt  # as above
@never_cache
@require_POST
def claim(request: HttpRequest) -> HttpResponse:
    """The program asks for its token, with its secret in the form field `device_code`."""
    try:
        issued = claim_device_login(request.POST.get("device_code", ""))
    except FanoutError as error:
        return _refuse(error)
    holder = issued.token.user
    return JsonResponse(
        {
            "access_token": issued.text,
            "token_type": "Bearer",
            "expires_in": int(TOKEN_LIFE.total_seconds()),
            "scope": " ".join(issued.token.scopes),
            "email": "" if holder is None else holder.email,
        }
    )


@csrf_exempt  # as above: whoever has the token may end it
@never_cache
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """End a personal API token, by its text in the form field `token` (after RFC 7009)."""
    return JsonResponse({"revoked": give_back_token(request.POST.get("token", ""))})


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def show_device(request: PageRequest) -> HttpResponse:
    """Where a person types the code, sees what is asked for, and says yes or no.

    A link with the code fills it in and does nothing else: whether it is good is told to the page's own form alone,
    which is counted.
    """
    code = request.POST.get("code", request.GET.get("code", ""))[:MAX_CODE_CHARACTERS]
    if request.method == "GET" or not code.strip():
        return _show(request, code=code)
    if not ratelimit.consume(request, action="device_code", user=request.user):
        return _show(request, problem="Too many codes were tried; try again in five minutes.", status=429)
    decision = request.POST.get("decision", "")
    try:
        if decision not in ("approve", "deny"):
            return _show(request, login=get_device_login(code))
        login = decide_device_login(code=code, user=request.user, approve=decision == "approve")
    except DeviceLoginNotFound as error:
        return _show(request, problem=sentence(error), code=code, status=404)
    return _show(request, decided=login)


def _show(
    request: PageRequest,
    *,
    login: DeviceLogin | None = None,
    decided: DeviceLogin | None = None,
    problem: str = "",
    code: str = "",
    status: int = 200,
) -> HttpResponse:
    asked = login or decided
    scopes = [scope for scope in Scope if asked is not None and scope.value in asked.scopes]
    context = {
        "login": login,
        "decided": decided,
        "scopes": scopes,
        "days": TOKEN_LIFE.days,
        "problem": problem,
        "code": code,
    }
    return render(request, "realms/device.html", context, status=status)


def _read_scopes(text: str) -> list[Scope]:
    """Return the scopes of a list with blanks between.

    Raises:
        InvalidRequest: there is no such scope.
    """
    known = {scope.value: scope for scope in Scope}
    names = text.split()
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"there is no scope {name[:40]!r}", cure=f"use some of {', '.join(known)}", field="scope"
            )
    return [known[name] for name in names]


def _refuse(error: FanoutError) -> JsonResponse:
    members = {"code": error.code, "message": str(error), "cure": error.cure, "field": error.field}
    answer = JsonResponse({"error": members}, status=error.http_status)
    if isinstance(error, RateLimited):
        answer["Retry-After"] = str(error.retry_after_s)
    return answer
