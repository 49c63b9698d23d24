"""Requests to paths under a realm where nothing is: told what there is, and noted for whoever asks why."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from fanoutcloud.core.errors import NotFound
from publishing.compatible.requests import refuse


@csrf_exempt
async def answer_nowhere(request: HttpRequest, realm_id: str, path: str) -> HttpResponse:
    """Say that nothing is there, and where to publish."""
    error = NotFound(
        f"there is nothing at /realm/{realm_id[:40]}/{path[:60]}",
        cure=f"publish with POST to /realm/{realm_id[:40]}/publish/",
        field="path",
    )
    return refuse(request, realm_id, error)
