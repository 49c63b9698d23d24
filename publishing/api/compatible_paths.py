"""The compatible API in the OpenAPI document: addresses that client libraries of the old service use.

They are answered outside of DRF: publishing by `publishing.endpoint`, origins by `publishing.compatible`.
"""

from typing import Any

_TEXT = {"text/plain": {"schema": {"type": "string"}}}
FAILURE = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "cure"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "cure": {"type": "string"},
                "field": {"type": ["string", "null"]},
                "limit": {"type": "string"},
                "retry_after_s": {"type": "integer"},
            },
        }
    },
}
_PROBLEM = {
    "description": "One line that says why, and the cure.",
    "content": {**_TEXT, "application/json": {"schema": FAILURE}},
}
_ITEM = {
    "type": "object",
    "properties": {
        "channel": {"type": "string", "maxLength": 512},
        "id": {"type": ["string", "number"]},
        "prev-id": {"type": ["string", "number"]},
        "formats": {"type": "object"},
        "meta": {"type": "object"},
        "tags": {"type": "object"},
    },
    "additionalProperties": True,
}
_ITEMS = {
    "type": "object",
    "required": ["items"],
    "properties": {"items": {"type": "array", "items": _ITEM, "maxItems": 1000}},
}
_EXAMPLE = {"items": [{"channel": "door", "id": "18", "json-object": {"open": True}}]}
_ORIGIN = {
    "type": "object",
    "properties": {
        name: {"type": "string"} for name in ("host", "port", "ssl_host", "ssl_port", "rewrite_host", "over_http")
    },
}


def _path_member(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _operation(name: str, does: str, about: str, members: list[str], body: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": does,
        "description": about,
        "tags": ["compatible"],
        "security": [{"key": []}, {"signed": []}],
        "parameters": [_path_member(member) for member in members],
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "Done.", "content": {**_TEXT, "application/json": {"schema": {"type": "object"}}}},
            "default": _PROBLEM,
        },
    }


def compatible_paths() -> dict[str, Any]:
    """Return the paths of the compatible API."""
    items = {"application/json": {"schema": _ITEMS, "example": _EXAMPLE}}
    form = {"application/x-www-form-urlencoded": {"schema": _ORIGIN}}
    return {
        "/realm/{realm}/publish/": {
            "post": _operation(
                "publish", "Publish items", "As client libraries do: see docs/api/publish.md.", ["realm"], items
            )
        },
        "/realm/{realm}/publish/{channel}/": {
            "post": _operation(
                "publishToChannel", "Publish items to a channel", "The older form.", ["realm", "channel"], items
            )
        },
        "/realm/{realm}/http/{domain}/": {
            "post": _operation(
                "setOrigin",
                "Set a domain's origin servers",
                "What is left out stays; `default` is the built-in domain.",
                ["realm", "domain"],
                form,
            )
        },
    }
