"""Publish bodies, written short."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.formats import parse_publish
from fanoutcloud.core.items import Item

T = TypeVar("T")


def refusal_or(parse: Callable[[], T]) -> T | InvalidRequest:
    """Return what is parsed, or the error that the parser raises for whatever it can't take."""
    try:
        return parse()
    except InvalidRequest as refused:
        return refused


def body_of(*items: Any) -> bytes:
    """Return the body of a publish request with these items."""
    return json.dumps({"items": items}).encode()


def parse_one(**members: Any) -> Item:
    """Return the item with these members; `_` in a name stands for `-`. The channel is `a` unless given."""
    named = {name.replace("_", "-"): value for name, value in ({"channel": "a"} | members).items()}
    [item] = parse_publish(body_of(named))
    return item


def parse_json_object(text: bytes) -> bytes | None:
    """Return what is kept of a `json-object` that is written so on the wire."""
    [item] = parse_publish(b'{"items":[{"channel":"a","json-object":' + text + b"}]}")
    return item.json_object
