"""Refusals under the API's own address that no resource makes: nothing is there, or the body is too large to read."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from fanoutcloud.core.errors import BodyTooLarge, NotFound
from publishing.api.json_bodies import JsonRenderer
from publishing.api.problems import MEDIA_TYPE, problem_of


async def refuse_body(send: Any, error: BodyTooLarge) -> None:  # Any: as ASGI has it
    """Answer 413 as the API does, before Django has seen the request."""
    body = JsonRenderer().render(problem_of(error))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": error.http_status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@csrf_exempt
def answer_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer 404 as the API does, rather than with a page."""
    problem = problem_of(NotFound("there is nothing at this address", cure="see /api/ for what there is"))
    return HttpResponse(JsonRenderer().render(problem), status=404, content_type=MEDIA_TYPE)
