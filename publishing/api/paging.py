"""Pages of a list: bounded, in a fixed order, with a cursor that says where the next one begins.

The cursor holds the last row's place in the order, not a number of rows: what is added or removed meanwhile makes
nothing come twice or be left out.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from rest_framework.response import Response

from fanoutcloud.core.errors import InvalidRequest

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR_CHARACTERS = 1024


class InvalidCursor(InvalidRequest):
    """A cursor that this list did not hand out."""

    code = "invalid_cursor"

    def __init__(self) -> None:
        super().__init__(
            "this is no cursor of this list", cure="take the cursor from the page before, or none", field="cursor"
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of those that follow, if any do."""

    rows: list[Any]
    next_cursor: str | None


def read_page(rows: "QuerySet[Any]", *, order: tuple[str, ...], cursor: str, limit: int) -> Page:
    """Return the page behind `cursor`; "" is the first. One query.

    `order` names fields that are unique together; with `-` before one, downwards.


    Raises:
        InvalidCursor: the cursor is not of a list with this order.
    """
    if cursor:
        try:
            rows = rows.filter(_is_behind(order, _open(cursor, len(order))))
        except (ValidationError, ValueError, TypeError, OverflowError):
            raise InvalidCursor from None
    found = list(rows.order_by(*order)[: limit + 1])
    page, has_more = found[:limit], len(found) > limit
    return Page(page, _make_cursor([getattr(page[-1], name.removeprefix("-")) for name in order]) if has_more else None)


def answer_page(items: list[Any], next_cursor: str | None, *, url: str) -> Response:
    """Return the answer that holds a page; `url` is this page's address."""
    response = Response({"items": items, "next": next_cursor})
    if next_cursor is not None:
        path, _, query = url.partition("?")
        others = [part for part in query.split("&") if part and not part.startswith("cursor=")]
        response["Link"] = f'<{path}?{"&".join([*others, f"cursor={next_cursor}"])}>; rel="next"'
    return response


def _is_behind(order: tuple[str, ...], values: list[Any]) -> Q:
    """Return the condition of rows behind `values`: (a, b) > (x, y) spelled out for every database."""
    name, value = order[0], values[0]
    name, way = (name[1:], "lt") if name.startswith("-") else (name, "gt")
    condition = Q(**{f"{name}__{way}": value})
    return condition | (Q(**{name: value}) & _is_behind(order[1:], values[1:])) if len(order) > 1 else condition


def _make_cursor(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def _open(cursor: str, count: int) -> list[Any]:
    if len(cursor) > MAX_CURSOR_CHARACTERS:
        raise InvalidCursor
    try:
        values = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise InvalidCursor from None
    if not isinstance(values, list) or len(values) != count or not all(isinstance(v, str | int) for v in values):
        raise InvalidCursor
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise InvalidCursor
    return values
