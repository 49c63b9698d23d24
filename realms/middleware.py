"""Says who asks at a page, for the audit log."""

from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

from realms.audit import Author, acting


@sync_and_async_middleware
def note_who_asks(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Have changes noted as those of whoever is signed in; nobody is looked up unless there is one."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> Any:
            with acting(partial(_author_of, request)):
                return await get_response(request)

        return answer_async

    def answer(request: HttpRequest) -> Any:
        with acting(partial(_author_of, request)):
            return get_response(request)

    return answer


def _author_of(request: HttpRequest) -> Author:
    return Author.of_user(request.user, request.META.get("REMOTE_ADDR") or "")
