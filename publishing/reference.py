"""What the pages about the management API show: its operations and its problems, from the code itself."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import msgspec

from fanoutcloud.core.errors import FanoutError
from publishing.api.problems import FRAMEWORK_PROBLEMS
from publishing.api.schema import openapi_document

_TITLES = {"xmpp": "XMPP", "me": "Whose token it is", "why": "Why?"}
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class FieldText:
    """One field of a body or member of a query."""

    name: str
    kind: str
    about: str
    is_required: bool


@dataclass(frozen=True, slots=True)
class OperationText:
    """One operation, for people."""

    id: str
    method: str
    path: str
    does: str
    about: list[str]
    tag: str
    fields: list[FieldText] = field(default_factory=list)
    example: str = ""


@dataclass(frozen=True, slots=True)
class ProblemText:
    """One code that a problem may have."""

    code: str
    status: int
    about: str


def list_operations() -> list[tuple[str, list[OperationText]]]:
    """Return the operations by noun, in the order of their addresses."""
    document = openapi_document()
    found = [
        _describe(document, path, method, methods[method])
        for path, methods in document["paths"].items()
        for method in _METHODS
        if method in methods
    ]
    found.sort(key=lambda operation: operation.tag)
    grouped = groupby(found, key=lambda operation: operation.tag)
    return [(_TITLES.get(tag, tag.capitalize()), list(group)) for tag, group in grouped]


def list_problems() -> list[ProblemText]:
    """Return every code, in alphabetical order."""
    known = {code: ProblemText(code, status, about) for code, status, about in FRAMEWORK_PROBLEMS}
    for kind in _leaves(FanoutError):
        known.setdefault(kind.code, ProblemText(kind.code, kind.http_status, _first_line(kind)))
    return [known[code] for code in sorted(known)]


def _leaves(kind: type[FanoutError]) -> Iterator[type[FanoutError]]:
    for child in kind.__subclasses__():
        if "code" in child.__dict__:
            yield child
        yield from _leaves(child)


def _first_line(kind: type[FanoutError]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _describe(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> OperationText:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = body.get("example")
    fields = [_of_parameter(parameter) for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    return OperationText(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        does=operation.get("summary", ""),
        about=operation.get("description", "").split("\n\n"),
        tag=operation["tags"][0],
        fields=[*fields, *_of_schema(document, body.get("schema", {}))],
        example="" if example is None else msgspec.json.format(msgspec.json.encode(example)).decode(),
    )


def _of_parameter(parameter: dict[str, Any]) -> FieldText:
    kind = f"?{parameter['name']}="
    about = parameter.get("description", "")
    return FieldText(parameter["name"], kind, about, bool(parameter.get("required")))


def _of_schema(document: dict[str, Any], schema: dict[str, Any]) -> list[FieldText]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return [
        FieldText(name, _kind_of(inner), inner.get("description", ""), name in required)
        for name, inner in schema.get("properties", {}).items()
    ]


def _kind_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type", "")
    names = kind if isinstance(kind, list) else [kind or "object"]
    return " or ".join(names)
