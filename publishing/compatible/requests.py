"""From a request of the compatible API to its answer: credential, method, errors, as the publish endpoint does it."""

from collections.abc import Awaitable, Callable
from typing import cast

from django.apps import apps
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from fanoutcloud.core.activity import refused_event
from fanoutcloud.core.errors import FanoutError, MethodNotAllowed, Unauthorized, Unavailable
from fanoutcloud.core.names import RealmId, find_realm_id
from publishing.answers import Headers, error_answer, message_answer, preflight_headers, wants_json_answer
from publishing.apps import DeliveryPlane, PublishingConfig
from publishing.authentication import hint_of
from realms.audit import Author, acting

#: Does what was asked for, for the holder of a key of the realm; returns the line that answers.
Act = Callable[[RealmId], Awaitable[str]]


async def answer_request(request: HttpRequest, realm_id: str, *, methods: str, act: Act) -> HttpResponse:
    """Check the credential of a request and act on it; `methods` is the value of `Allow`."""
    if request.method == "OPTIONS":
        return _respond(204, preflight_headers(methods), b"")
    as_json = False
    try:
        as_json = wants_json_answer(request.headers.get("Accept", "*/*").lower().encode("latin-1"))
        if request.method not in methods.split(", "):
            raise MethodNotAllowed(request.method or "", methods)
        realm, author = await _authenticate(request, realm_id)
        with acting(lambda: author):
            line = await act(realm)
    except FanoutError as error:
        _tell_refused(request, realm_id, error)
        return _respond(error.http_status, *error_answer(error, as_json=as_json))
    return _respond(200, *message_answer(line, as_json=as_json))


async def _authenticate(request: HttpRequest, realm_id: str) -> tuple[RealmId, Author]:
    plane, realm = _plane(), find_realm_id(realm_id)
    if plane is None:
        raise Unavailable("this process serves pages only")
    if realm is None:
        raise Unauthorized("wrong_key", "the path names no realm", cure="check the realm's id on the dashboard")
    header = request.headers.get("Authorization")
    address = request.META.get("REMOTE_ADDR") or ""
    try:
        snapshot, key = await plane.authenticator.authenticate(
            realm, header.encode("latin-1", "replace") if header is not None else None, address=address
        )
    except DatabaseError:
        raise Unavailable("the realm can't be looked up at the moment") from None
    return snapshot.realm, Author(f"key:{key.key_id}", f"key {hint_of(key)}", address)


def _plane() -> DeliveryPlane | None:
    return cast(PublishingConfig, apps.get_app_config("publishing")).plane


def refuse(request: HttpRequest, realm_id: str, error: FanoutError) -> HttpResponse:
    """Answer with an error, in text or JSON as the client takes it; who watches the realm is told."""
    _tell_refused(request, realm_id, error)
    try:
        as_json = wants_json_answer(request.headers.get("Accept", "*/*").lower().encode("latin-1"))
    except FanoutError:
        as_json = False
    return _respond(error.http_status, *error_answer(error, as_json=as_json))


def _tell_refused(request: HttpRequest, realm_id: str, error: FanoutError) -> None:
    plane, realm = _plane(), find_realm_id(realm_id)
    if plane is None or realm is None:
        return
    address = request.META.get("REMOTE_ADDR") or ""
    plane.flight.refused(realm, error, side="publish", address=address)
    if plane.activity.is_watched(realm):
        plane.activity.record(realm, refused_event(error, at=plane.clock.now(), address=address))


def _respond(status: int, headers: Headers, body: bytes) -> HttpResponse:
    return HttpResponse(body, status=status, headers={name.decode(): value.decode() for name, value in headers})
