"""The API's own description, for programs."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from publishing.api.json_bodies import JsonRenderer
from publishing.api.schema import openapi_document


@require_safe
def show_openapi(request: HttpRequest) -> HttpResponse:
    """Answer with the OpenAPI document."""
    response = HttpResponse(JsonRenderer().render(openapi_document()), content_type="application/json")
    response["Cache-Control"] = "public, max-age=300"
    return response
