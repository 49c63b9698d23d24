"""The base of all resources of the management API: who may, what came, and how it is answered."""

from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fanoutcloud.core.errors import InvalidRequest
from publishing.api.conditions import check_match, etag_of, is_listed
from publishing.api.idempotency import check_key, do_once, fingerprint_of
from publishing.api.operations import Operation
from publishing.api.paging import answer_page, read_page
from publishing.api.serializers import Nothing
from publishing.api.throttling import take_request
from realms.actors import Actor
from realms.audit import Author, acting
from realms.errors import PersonNeeded, ScopeMissing
from realms.models import Realm
from realms.selectors import access_realm_as
from realms.services.locking import lock_realm

_READING = ("GET", "HEAD")


class Resource(APIView):
    """One address of the API. `operations` says what each method needs; the method itself only acts."""

    operations: ClassVar[dict[str, Operation]] = {}
    #: Whether changes take `If-Match`: `current` says what it is compared with.
    has_state: ClassVar[bool] = False

    actor: Actor
    query: dict[str, Any]  # the checked members of the query
    body: dict[str, Any]  # the checked fields of the body

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check everything that can be checked before the method acts."""
        super().initial(request, *args, **kwargs)
        if request.method == "OPTIONS":
            return
        if not isinstance(request.auth, Actor):
            raise exceptions.NotAuthenticated
        self.actor = request.auth
        take_request(self.actor)
        operation = self.operation
        if operation.needs_person and self.actor.user is None:
            raise PersonNeeded
        self.enter(operation)
        self.query = self._read_query(operation)
        self.body = self._read_body(operation)

    @property
    def operation(self) -> Operation:
        """The table's entry for the request's method."""
        method = "GET" if self.request.method == "HEAD" else self.request.method
        operation = self.operations.get(method or "")
        if operation is None:
            raise exceptions.MethodNotAllowed(str(method))
        return operation

    def enter(self, operation: Operation) -> None:
        """Check that the actor may; resources of a realm find it here."""
        if operation.scope is not None and operation.scope not in self.actor.scopes:
            raise ScopeMissing(operation.scope)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer one request: as DRF does, with conditions and repetition around what changes something."""
        self.args, self.kwargs, self.headers = args, kwargs, self.default_response_headers
        request = self.request = self.initialize_request(request, *args, **kwargs)
        try:
            self.initial(request, *args, **kwargs)
            with acting(self._find_author):
                response = self._act(request, **kwargs)
        except Exception as error:  # translated, and logged where nobody foresaw it
            response = self.handle_exception(error)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # DRF's request
        """Say which methods there are."""
        return Response(status=204)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add what every answer carries; a representation that the client has already is not sent again."""
        if isinstance(response, Response) and response.status_code == 200 and response.data is not None:
            response["ETag"] = etag_of(response.data)
            known = request.headers.get("If-None-Match")
            if request.method in _READING and known is not None and is_listed(known, response["ETag"]):
                etag, response = response["ETag"], Response(status=304)
                response["ETag"] = etag
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store" if request.method not in _READING else "private, no-cache"
        response["Vary"] = "Authorization, Cookie"
        return response

    def current(self) -> Any:
        """Return the representation that `If-Match` is compared with."""
        raise InvalidRequest("If-Match is not offered here", cure="leave it out", field="If-Match")

    def page(self, rows: "QuerySet[Any]", *, order: tuple[str, ...] = ("pk",)) -> Response:
        """Answer with the page of `rows` that the query asks for."""
        page = read_page(rows, order=order, cursor=self.query["cursor"], limit=self.query["limit"])
        items = [self.represent(row) for row in page.rows]
        return answer_page(items, page.next_cursor, url=self.request.get_full_path())

    def represent(self, thing: Any) -> Any:
        """Return what is answered about `thing`, by the method's `answers`."""
        operation = self.operation
        if operation.answers is None:
            raise AssertionError(f"{operation.id} answers nothing")
        return operation.answers(thing).data

    def answer(self, thing: Any, *, location: str = "") -> Response:
        """Answer with `thing`, and, where it is new, its address."""
        response = Response(self.represent(thing), status=self.operation.status)
        if location:
            response["Location"] = location
        return response

    def _act(self, request: Request, **kwargs: Any) -> Response:
        handler = getattr(self, str(request.method).lower(), None)
        if handler is None:
            raise exceptions.MethodNotAllowed(str(request.method))
        if request.method in _READING or request.method == "OPTIONS":
            return handler(request, **kwargs)  # type: ignore[no-any-return]  # the methods of subclasses

        def act() -> Response:
            if (match := request.headers.get("If-Match")) is not None:
                check_match(match, self.current())
            return handler(request, **kwargs)  # type: ignore[no-any-return]

        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key is not None:
            check_key(key)
            if self.operation.is_repeatable:
                fingerprint = fingerprint_of("POST", request.get_full_path(), self._raw_body)
                return do_once(self.actor, key, fingerprint, act)
        if "If-Match" in request.headers:
            with transaction.atomic():
                self.lock()
                return act()
        return act()

    def lock(self) -> None:
        """Let no other change come between the look at `current` and this one."""

    def _find_author(self) -> Author:
        """Return who the audit log says it was."""
        return Author.of_actor(self.actor, self.request.META.get("REMOTE_ADDR") or "")

    def _read_query(self, operation: Operation) -> dict[str, Any]:
        given = self.request.query_params
        twice = [name for name in given if len(given.getlist(name)) > 1]
        if twice:
            raise InvalidRequest("a member of the query came twice", cure="send it once", field=twice[0])
        serializer_class = operation.query or Nothing
        serializer = serializer_class(data=given.dict())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _read_body(self, operation: Operation) -> dict[str, Any]:
        if self.request.method in ("GET", "HEAD", "DELETE"):
            return {}
        self._raw_body = self.request._request.body
        data = self.request.data if self._raw_body.strip() else {}
        serializer = (operation.takes or Nothing)(data=data)
        if self.request.method == "PATCH":
            for field in serializer.fields.values():  # not DRF's `partial`, which would hold for fields of fields, too
                field.required = False
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class RealmResource(Resource):
    """A resource of one realm. `realm` is the one that the address names, once it is known that the actor may."""

    realm: Realm

    def enter(self, operation: Operation) -> None:
        """Find the realm, or refuse: a foreign one as if it were not there."""
        if operation.scope is None:
            raise AssertionError(f"{operation.id} names no scope")
        self.realm = access_realm_as(
            self.actor, str(self.kwargs["realm_id"]), at_least=operation.at_least, scope=operation.scope
        )

    def lock(self) -> None:
        """Lock the realm, and look at it again: what is compared must be what it is now."""
        lock_realm(self.realm)
        self.enter(self.operation)
