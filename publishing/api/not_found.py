"""What is asked for and is not there, under the API's own address."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from fanoutcloud.core.errors import NotFound
from publishing.api.json_bodies import JsonRenderer
from publishing.api.problems import MEDIA_TYPE, problem_of


@csrf_exempt
def answer_not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answer 404 as the API does, rather than with a page."""
    problem = problem_of(NotFound("there is nothing at this address", cure="see /api/ for what there is"))
    return HttpResponse(JsonRenderer().render(problem), status=404, content_type=MEDIA_TYPE)
