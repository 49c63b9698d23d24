"""JSON as it goes over the wire."""

import json
from typing import Any

from fanoutcloud_client.errors import InvalidRequest


def encode(value: Any) -> bytes:  # Any: whatever JSON can hold
    """Return compact UTF-8.

    Raises:
        InvalidRequest: the value is not JSON: an object of yours, NaN, a circle, half a surrogate pair.
    """
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"this is not JSON: {error}", cure="publish dicts, lists, text, numbers") from error


def decode_object(text: str | bytes) -> dict[str, Any] | None:
    """Return a JSON object, or None if `text` is something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
