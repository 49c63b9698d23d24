"""JSON in and out, and nothing else."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

#: Python's own stack is deeper; nobody means more than this.
MAX_DEPTH = 64


class JsonRenderer(BaseRenderer):
    """Renders data as JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return the text, or nothing for None."""
        return b"" if data is None else msgspec.json.encode(data) + b"\n"


class JsonParser(BaseParser):
    """Parses JSON that is UTF-8 and not nested deeply."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        """Return the value.

        Raises:
            ParseError: it is no JSON text.
        """
        try:
            value = msgspec.json.decode(cast(bytes, stream.read()))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ParseError(f"the body is no JSON: {error}") from None
        except RecursionError:
            raise ParseError("the body is nested too deeply") from None
        if _is_deeper_than(value, MAX_DEPTH):
            raise ParseError(f"the body is nested more than {MAX_DEPTH} levels deep")
        return value


def _is_deeper_than(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_is_deeper_than(part, levels - 1) for part in parts)
