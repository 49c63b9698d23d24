"""The pages about the management API."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from publishing.reference import list_operations, list_problems


@require_safe
def show_api(request: HttpRequest) -> HttpResponse:
    """Every operation, with its fields and an example."""
    return render(request, "publishing/api.html", {"sections": list_operations()})


@require_safe
def show_problems(request: HttpRequest) -> HttpResponse:
    """Every code of a problem; the `type` of each leads here."""
    return render(request, "publishing/problems.html", {"problems": list_problems()})
