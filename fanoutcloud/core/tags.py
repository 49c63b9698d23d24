"""Tags of items: small labels by which subscribers choose. Source: docs/api/publish.md."""

import math
import re
from collections.abc import Mapping

from fanoutcloud.core.errors import InvalidItem

TagValue = str | bool | int | float
Tags = Mapping[str, TagValue]

MAX_TAGS = 32
MAX_TAG_TEXT_BYTES = 256
#: What a JavaScript number holds exactly.
MAX_TAG_NUMBER = 2**53 - 1
TAG_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def check_tags(tags: Mapping[str, TagValue], field: str) -> None:
    """Return if the tags may be carried by an item.

    Raises:
        InvalidItem: they are too many, or a name or a value is wrong; `field` and the tag's name are its place.
    """
    if len(tags) > MAX_TAGS:
        raise InvalidItem(f"holds {len(tags):,} tags", cure=f"use at most {MAX_TAGS}", field=field)
    for name, value in tags.items():
        if not TAG_NAME.fullmatch(name):
            raise InvalidItem(
                f"the name {name[:64]!r} can't be used in filters",
                cure="use up to 64 letters, digits, _ . and -, a letter or _ first",
                field=field,
            )
        fault = _find_fault(value)
        if fault is not None:
            raise InvalidItem(fault[0], cure=fault[1], field=f"{field}.{name}")


def _find_fault(value: TagValue) -> tuple[str, str] | None:
    if isinstance(value, str):
        if len(value.encode(errors="replace")) > MAX_TAG_TEXT_BYTES:
            return f"is longer than {MAX_TAG_TEXT_BYTES} bytes", "use a shorter text; content belongs in a format"
    elif not math.isfinite(value) or abs(value) > MAX_TAG_NUMBER:
        return "is too large a number", f"use numbers up to {MAX_TAG_NUMBER}, or text"
    return None
