"""The API's own description, for programs."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from publishing.api.json_bodies import JsonRenderer
from publishing.api.schema import openapi_document
from publishing.asyncapi import asyncapi_document


@require_safe
def show_openapi(request: HttpRequest) -> HttpResponse:
    """Answer with the OpenAPI document."""
    return _answer(openapi_document())


@require_safe
def show_asyncapi(request: HttpRequest) -> HttpResponse:
    """Answer with the AsyncAPI document: what goes over the wire to subscribers."""
    return _answer(asyncapi_document(settings.PUBLIC_URL))


def _answer(document: dict[str, Any]) -> HttpResponse:
    response = HttpResponse(JsonRenderer().render(document), content_type="application/json")
    response["Cache-Control"] = "public, max-age=300"
    return response
