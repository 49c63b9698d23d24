"""Headers that a customer may add to calls: of an endpoint, and of an item's `http-request`.

Those of an endpoint may be credentials of its receiver: they are sealed in the database, and nowhere shown once set.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from fanoutcloud.core.formats import MAX_REQUEST_HEADER_BYTES, MAX_REQUEST_HEADERS
from fanoutcloud.core.items import Item
from publishing.webhooks.errors import InvalidEndpoint
from publishing.webhooks.log_rules import CUT
from realms.errors import SealBroken
from realms.sealing import open_sealed, seal

Pairs = list[tuple[str, str]]

#: Headers that are ours, the connection's or the network's to set.
_NOT_THEIRS = {
    "host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer", "keep-alive",
    "forwarded", "user-agent", "accept-encoding", "cookie",
}  # fmt: skip
_NOT_THEIR_PREFIXES = ("proxy-", "webhook-", "fanout-", "x-forwarded-", "metadata", "x-aws-")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 §5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def headers_of_item(item: Item) -> Pairs:
    """Return the headers of an item's `http-request` that are sent."""
    assert item.http_request is not None
    return [(name, value) for name, value in item.http_request.headers if not _is_ours(name)]


def check_headers(value: Any, sealed: str = "") -> Pairs:  # Any: what a form or JSON gives
    """Return an endpoint's headers, by name, as they are to be sent. A value of `…` stands for the one in `sealed`.

    Raises:
        InvalidEndpoint: one can't be sent; `field` is `headers.NAME`.
        SealBroken: one is to stay as it is, and can't be read.
    """
    if not isinstance(value, Mapping):
        raise InvalidEndpoint("these are no headers", cure='use {"Name": "value"}', field="headers")
    kept = {name.lower(): text for name, text in open_headers(sealed)} if CUT in value.values() else {}
    pairs: Pairs = []
    for name, text in value.items():
        field = f"headers.{str(name)[:80]}"
        if any(name.lower() == known.lower() for known, _ in pairs):
            raise InvalidEndpoint(f"the header {name[:80]} is there twice", cure="keep one", field=field)
        pairs.append((_checked_name(name, field), _checked_value(text, kept.get(name.lower()), field)))
    size = sum(len(name) + len(text) for name, text in pairs)
    if len(pairs) > MAX_REQUEST_HEADERS or size > MAX_REQUEST_HEADER_BYTES:
        cure = f"use {MAX_REQUEST_HEADERS} headers of {MAX_REQUEST_HEADER_BYTES:,} bytes together at most"
        raise InvalidEndpoint("these are too many headers", cure=cure, field="headers")
    return pairs


def seal_headers(pairs: Pairs) -> str:
    """Return headers as the database holds them."""
    return seal(json.dumps(pairs).encode()) if pairs else ""


def open_headers(sealed: str) -> Pairs:
    """Return what `seal_headers` was given. Raises `SealBroken`."""
    return [(name, value) for name, value in json.loads(open_sealed(sealed))] if sealed else []


def show_headers(sealed: str) -> dict[str, str]:
    """Return headers as they are shown: without their values. None of them where they can't be read here."""
    try:
        return {name: CUT for name, _ in open_headers(sealed)}
    except SealBroken:
        return {}


def read_lines(text: str) -> dict[str, str]:
    """Return the headers of a text with one `Name: value` in each line.

    Raises:
        InvalidEndpoint: a line is none, or there are two of one name.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidEndpoint(f"line {number} has no colon", cure="write Name: value", field="headers")
        if name.strip() in found:
            raise InvalidEndpoint(f"line {number} is a second {name.strip()[:80]}", cure="keep one", field="headers")
        found[name.strip()] = value.strip()
    return found


def _checked_name(name: str, field: str) -> str:
    if not _TOKEN.fullmatch(name):
        cure = "use letters, digits and hyphens"
        raise InvalidEndpoint(f"{name[:80]!r} is no name of a header", cure=cure, field=field)
    if _is_ours(name) or name.lower() == "content-type":  # which says what the body is, and that is not the endpoint's
        raise InvalidEndpoint(f"the header {name[:80]} is ours to set", cure="leave it out", field=field)
    return name


def _checked_value(text: Any, kept: str | None, field: str) -> str:
    if not isinstance(text, str):
        raise InvalidEndpoint("a header's value is text", cure='use {"Name": "value"}', field=field)
    if text == CUT and kept is not None:
        return kept
    value = text.strip(" \t")
    if not _VALUE.fullmatch(value):
        cure = "use printable characters on one line; others can be sent percent-encoded or as Base64"
        raise InvalidEndpoint("the header holds what none can", cure=cure, field=field)
    return value


def _is_ours(name: str) -> bool:
    lowered = name.lower()
    return lowered in _NOT_THEIRS or lowered.startswith(_NOT_THEIR_PREFIXES)
