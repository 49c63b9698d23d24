"""Requests that wait for something else than the database: each in a thread of its own.

Django runs all sync views of a process in one thread, one after another; a view that waits there for the delivery
plane or for somebody's web server would hold up all others.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

View = Callable[..., HttpResponse]


def in_own_thread(view: View) -> Callable[..., Any]:  # Any: a coroutine, which is what makes Django await it
    """Return the view as an async one. Without an ASGI server (tests, WSGI) it stays in the request's thread."""

    @wraps(view)
    async def answer(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if isinstance(request, ASGIRequest):
            run = database_sync_to_async(view, thread_sensitive=False)
        else:
            run = sync_to_async(view, thread_sensitive=True)
        response: HttpResponse = await run(request, **kwargs)
        return response

    return answer
