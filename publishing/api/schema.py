"""The OpenAPI document of the management API, made from the resources' own tables of operations."""

from functools import cache
from typing import Any, Literal, cast

from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from rest_framework.serializers import CharField

from publishing.api.compatible_paths import compatible_paths
from publishing.api.device_login_paths import device_login_paths
from publishing.api.operations import Operation
from publishing.api.problems import MEDIA_TYPE
from publishing.api.resources import Resource
from publishing.api.serializers import Problem

Schema = dict[str, Any]  # a part of the document: open mappings, as OpenAPI has them

_PROBLEMS = {
    "400": "The request can't be understood; `errors` names the places.",
    "401": "No credential came, or one that does not hold.",
    "403": "The credential, or its holder's role, does not allow this.",
    "404": "There is no such thing, or none that you may know of.",
    "409": "The state of things does not allow this.",
    "412": "The resource has changed since you read it.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "Too many requests; `Retry-After` says when to try again.",
    "default": "Any other failure.",
}


class OperationSchema(AutoSchema):
    """Describes one method of a resource."""

    @property
    def about(self) -> Operation:
        """The table's entry."""
        return self.resource.operations[self.method]

    @property
    def resource(self) -> Resource:
        """The view; `is_excluded` has sorted out all others."""
        return cast(Resource, self.view)

    def is_excluded(self) -> bool:
        """Leave out what is no operation of ours."""
        return not isinstance(self.view, Resource) or self.method not in self.view.operations

    def get_operation_id(self) -> str:
        """Return the operation's name."""
        return self.about.id

    def get_summary(self) -> str:
        """Return what it does, in one line."""
        return self.about.does

    def get_description(self) -> str:  # type: ignore[override]  # spectacular leaves DRF's own way
        """Return what else there is to know, and what it needs."""
        needs = []
        if self.about.scope is not None:
            needs.append(f"Scope `{self.about.scope}`")
        if "{realm_id}" in self.path:
            needs.append(f"role {self.about.at_least.value} or higher")
        if self.about.needs_person:
            needs.append("a person's credential")
        return "\n\n".join(filter(None, [self.about.about, f"Needs: {', '.join(needs)}." if needs else ""]))

    def get_tags(self) -> list[str]:
        """Return the noun."""
        return [type(self.view).__module__.rpartition(".")[2].replace("_", " ")]

    def get_auth(self) -> list[Schema]:
        """Any one of the three ways to sign in."""
        return [{"token": []}, {"key": []}, {"session": []}]

    def get_extensions(self) -> Schema:
        """Tell programs what is asked of the credential."""
        scope = self.about.scope
        return {"x-scope": scope.value} if scope is not None else {}

    def get_response_serializers(self) -> Any:
        """Return what is not guessed: the answers are put together from the table below."""
        return self.about.answers

    def get_request_serializer(self) -> Any:
        """Return the fields of the body."""
        return self.about.takes

    def _postprocess_serializer_schema(self, schema: Schema, serializer: Any, direction: str) -> Schema:
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        if direction == "request" or getattr(serializer, "is_part_of_body", False):
            schema["additionalProperties"] = False
        return schema

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:  # noqa: FBT001, FBT002  # spectacular's signature
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        is_text = isinstance(schema, dict) and schema.get("type") == "string" and isinstance(field, CharField)
        if is_text and direction == "request" and not {"format", "enum", "pattern"} & schema.keys():
            schema["pattern"] = r"^[^\u0000]*$"  # the one character that no database takes
        return schema

    def _get_request_body(self, direction: str = "request") -> Schema | None:
        body: Schema | None = super()._get_request_body(direction)
        if body is not None and self.about.example:
            body["content"]["application/json"]["example"] = self.about.example
        return body

    def _get_parameters(self) -> list[Schema]:
        parameters: list[Schema] = super()._get_parameters()
        if self.about.query is not None:
            parameters += [self._query_member(name, field) for name, field in self.about.query().fields.items()]
        if self.method == "POST":
            about = "Random text: a repetition of the request is answered as the first was, and done once."
            parameters.append(_header("Idempotency-Key", about, maxLength=255, pattern=r"^[ -~]+$", minLength=1))
        elif self.method == "GET":
            parameters.append(_header("If-None-Match", "An ETag: 304 if that is still the state.", format="etag"))
        elif self.resource.has_state:
            parameters.append(
                _header("If-Match", "An ETag: nothing is done if the state is another by now.", format="etag")
            )
        return parameters

    def _query_member(self, name: str, field: Any) -> Schema:
        schema: Schema = self._map_serializer_field(field, "request")
        about = schema.pop("description", "")
        return {"name": name, "in": "query", "required": field.required, "description": about, "schema": schema}

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Schema:
        about, bodies = self.about, {}
        answer: Schema = {"description": about.does + "."}
        if about.answers is not None:
            schema = self.resolve_serializer(about.answers, direction).ref
            answer["content"] = {"application/json": {"schema": _page_of(schema) if about.has_pages else schema}}
            if about.answer_example:
                answer["content"]["application/json"]["example"] = about.answer_example
        answer |= {"headers": headers} if (headers := _headers_of(about)) else {}
        bodies[str(about.status)] = answer
        if self.method == "GET":
            bodies["304"] = {"description": "You have it already."}
        problem = {MEDIA_TYPE: {"schema": self.resolve_serializer(Problem, "response").ref}}
        for status in self._problem_statuses():
            bodies[status] = {"description": _PROBLEMS[status], "content": problem}
        return bodies

    def _problem_statuses(self) -> list[str]:
        statuses = ["400", "401", "403", "429", "default"]
        statuses += ["404"] if "{" in self.path else []
        statuses += ["413", "415"] if self.method in ("POST", "PUT", "PATCH") else []
        statuses += ["409"] if self.method != "GET" else []
        statuses += ["412"] if self.resource.has_state and self.method != "GET" else []
        return sorted(statuses)


@cache
def openapi_document() -> Schema:
    """Return the whole document; the same for everybody, and made once."""
    document: Schema = SchemaGenerator().get_schema(public=True)
    document["paths"] |= compatible_paths() | device_login_paths()
    document["servers"] = [{"url": settings.PUBLIC_URL}]
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, `fan_…`."},
        "key": {"type": "http", "scheme": "basic", "description": "A realm's id and one of its keys, for that realm."},
        "signed": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "HS256, signed with a realm key; `iss` is the realm, `exp` in seconds since 1970.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The dashboard's own; changes need `X-CSRFToken`.",
        },
    }
    return document


def _header(name: str, about: str, **schema: Any) -> Schema:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "string", **schema},
    }


def _headers_of(operation: Operation) -> Schema:
    text = {"type": "string"}
    if operation.status == 201:
        return {"Location": {"description": "The address of what is new.", "schema": text}}
    if operation.status == 200:
        return {"ETag": {"description": "Names this state, for conditions.", "schema": text}}
    return {}


def _page_of(schema: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": schema},
            "next": {"type": ["string", "null"], "description": "The `cursor` of the next page, if there is one."},
        },
    }
