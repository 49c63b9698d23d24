"""Failures as RFC 9457 problem details: one shape for all, with a code, the place and a cure."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from fanoutcloud.core.errors import BodyTooLarge, FanoutError, InvalidRequest, NotFound, Unavailable, limit_members

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

#: DRF's failures: our code, and what to do about it.
_KNOWN: list[tuple[type[exceptions.APIException], str, str]] = [
    (exceptions.ParseError, "not_json", "send one JSON object in UTF-8"),
    (exceptions.NotAuthenticated, "no_credential", "send Authorization: Bearer and an API token"),
    (exceptions.AuthenticationFailed, "bad_credential", "send Authorization: Bearer and an API token that is live"),
    (exceptions.PermissionDenied, "forbidden", "send the page's CSRF token, or an API token instead of a cookie"),
    (exceptions.MethodNotAllowed, "method_not_allowed", "use one of the methods that Allow names"),
    (exceptions.NotAcceptable, "not_acceptable", "accept application/json"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type", "send Content-Type: application/json"),
]

#: Codes of failures that are no class of ours: status, and what happened.
FRAMEWORK_PROBLEMS = [
    ("not_json", 400, "The body is no JSON text in UTF-8, or is nested too deeply."),
    ("no_credential", 401, "No credential came."),
    ("bad_credential", 401, "The credential has no form that is known here."),
    ("bad_token", 401, "The token is none of ours: mistyped, revoked, or badly made."),
    ("token_expired", 401, "The token's time is over."),
    ("token_not_yet_valid", 401, "The signed token's time has not begun."),
    ("wrong_key", 401, "The credential is of no key of the realm."),
    ("csrf_failed", 403, "A change was asked for with the dashboard's session, without its CSRF token."),
    ("method_not_allowed", 405, "The address is there, the method is not."),
    ("not_acceptable", 406, "The client does not accept JSON."),
    ("unsupported_media_type", 415, "The body is not JSON by its Content-Type."),
    ("too_many_failures", 429, "Credentials from this address failed too often."),
    ("error", 500, "Something went wrong on our side; it was logged."),
]


class InvalidFields(InvalidRequest):
    """Fields of the body, or members of the query, are wrong, missing or unknown; `errors` names each."""

    code = "invalid_fields"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{first['message']}{more}", cure="correct the fields that errors names", field=first["field"])
        self.errors = errors


def answer_problem(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the answer to a request that failed. What nobody foresaw is logged and answered with 500."""
    failure = _translate(error)
    if failure is None:
        logger.error("api_failed", exc_info=error)
        failure = FanoutError("something went wrong on our side", cure="try again; tell the operator if it stays")
    response = Response(problem_of(failure), status=failure.http_status, content_type=MEDIA_TYPE)
    retry_after_s = getattr(failure, "retry_after_s", None)
    if retry_after_s is not None:
        response["Retry-After"] = str(retry_after_s)
    if failure.http_status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="fanout", Basic realm="fanout"'
    return response


def problem_of(error: FanoutError) -> dict[str, Any]:
    """Return the members of the problem document."""
    problem: dict[str, Any] = {
        "type": f"{settings.PUBLIC_URL}/api/problems/#{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.http_status,
        "detail": error.message,
        "code": error.code,
    }
    if error.cure:
        problem["cure"] = error.cure
    if error.field:
        problem["field"] = error.field
    if errors := getattr(error, "errors", None):
        problem["errors"] = errors
    return problem | limit_members(error)


def _translate(error: Exception) -> FanoutError | None:
    match error:
        case FanoutError():
            return error
        case Http404():
            return NotFound("there is nothing here", cure="check the address")
        case PermissionDenied():
            return _refusal("forbidden", 403, str(error) or "this is not allowed", cure="")
        case RequestDataTooBig():
            return BodyTooLarge(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        case OperationalError():
            logger.warning("api_without_database", extra={"error": type(error).__name__})
            return Unavailable("the database does not answer")
        case exceptions.ValidationError():
            return InvalidFields(list(_flatten(error.detail, "")))
        case exceptions.APIException():
            return _of_framework(error)
        case _:
            return None


def _of_framework(error: exceptions.APIException) -> FanoutError:
    for kind, code, cure in _KNOWN:
        if isinstance(error, kind):
            if code == "forbidden" and str(error.detail).startswith("CSRF"):
                code = "csrf_failed"
            return _refusal(code, error.status_code, str(error.detail), cure=cure)
    return _refusal("error", error.status_code, str(error.detail), cure="")


def _refusal(code: str, status: int, message: str, *, cure: str) -> FanoutError:
    error = FanoutError(message, cure=cure)
    error.code, error.http_status = code, status  # type: ignore[misc]  # a failure of the framework, put into our words
    return error


def _join(place: str, name: str | int) -> str:
    """Return the path of what is called `name` at `place`."""
    if name == "non_field_errors":
        return place
    if isinstance(name, int):
        return f"{place}[{name}]"
    return f"{place}.{name}" if place else name


def _flatten(detail: Any, place: str) -> Iterator[dict[str, str]]:
    """Yield one entry for each message, with the path of the field that it is about."""
    match detail:
        case dict():
            for name, inner in detail.items():
                yield from _flatten(inner, _join(place, name))
        case list():
            for index, inner in enumerate(detail):
                is_nested = isinstance(inner, dict | list)
                if inner:
                    yield from _flatten(inner, f"{place}[{index}]" if is_nested else place)
        case _:
            yield {"field": place or "body", "code": str(detail.code), "message": str(detail)}
