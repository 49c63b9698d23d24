"""What each method of a resource needs, takes and answers: one table for dispatch, OpenAPI and tests."""

from dataclasses import dataclass, field
from typing import Any

from rest_framework.serializers import Serializer

from realms.roles import Role
from realms.scopes import Scope

SerializerClass = type[Serializer[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a resource.

    `scope` and `at_least` are asked of the credential and of its holder's role in the realm; without `scope` any
    credential will do. `does` is the page's and the document's line about it; `about` says more.
    """

    id: str
    does: str
    scope: Scope | None = None
    at_least: Role = Role.DEVELOPER
    about: str = ""
    takes: type[Serializer[Any]] | None = None
    answers: SerializerClass | None = None
    status: int = 200
    has_pages: bool = False  # the answer is a page of a list
    query: type[Serializer[Any]] | None = None
    needs_person: bool = False  # a credential of a realm does not do
    is_repeatable: bool = True  # its effect is in the database: answers are stored with an Idempotency-Key
    example: dict[str, Any] = field(default_factory=dict)  # of the body
    answer_example: dict[str, Any] = field(default_factory=dict)
