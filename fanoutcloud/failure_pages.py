"""Pages for requests that Django itself answers with too little: what failed, and addresses that only take forms."""

import sys
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.decorators import sync_and_async_middleware

from fanoutcloud.core.errors import Unavailable

RETRY_AFTER_S = 5


def show_failure(request: HttpRequest) -> HttpResponse:
    """Answer for a page that failed, while its exception is handled: 503 where waiting helps, else 500.

    Neither page asks for a context: what that needs may be what has failed.
    """
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError | Unavailable):
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
    return HttpResponse(render_to_string("500.html"), status=500)


@sync_and_async_middleware
def explain_forms_only(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:  # Any: or awaited
    """Give a page to whoever opens an address that only takes forms, as by entering again where one was refused."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _explained(request, await get_response(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _explained(request, get_response(request))

    return answer


def _explained(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not isinstance(response, HttpResponse) or response.status_code != 405 or response.content:
        return response
    if "text/html" in request.headers.get("Accept", ""):  # a browser: programs know what 405 means
        response.content = render_to_string("405.html", request=request)
    return response
