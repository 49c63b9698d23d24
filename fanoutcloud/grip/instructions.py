"""What the origin tells the edge to do with a request: from `Grip-*` headers to an `Instruction`.

The form in a JSON body is read by `grip.instruct_documents`. Source: GRIP: instructions, headers.
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal
from urllib.parse import urljoin, urlsplit

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.grip.bad_instruction import refused, shown
from fanoutcloud.grip.header_values import Headers, Value, find_all, parse_list, parse_pair
from fanoutcloud.grip.keep_alives import KeepAlive, parse_keep_alive

Mode = Literal["response", "stream"]

DEFAULT_TIMEOUT_S = 55
MIN_TIMEOUT_S = 5
DEFAULT_LINK_TIMEOUT_S = 120
MAX_CHANNELS = 20
MAX_FILTERS_PER_CHANNEL = 5
#: A week: longer waits are a mistake, and would overflow timers.
MAX_SECONDS = 604_800

_SCHEMES = ("http", "https")
_NOT_IN_URI = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")


@dataclass(frozen=True, slots=True)
class HoldChannel:
    """A channel to subscribe to: the id that the origin's answer was current up to, and the filters in order."""

    name: ChannelName
    prev_id: str | None = None
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NextLink:
    """Where more content is; fetched when there is none for `timeout_s` seconds. The address is absolute."""

    uri: str
    timeout_s: int = DEFAULT_LINK_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Answer:
    """A response for the client, by the origin or made from it. Hashable: equal ones are encoded once."""

    status: int
    reason: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Instruction:
    """All that one answer of the origin tells."""

    answer: Answer
    mode: Mode | None = None
    channels: tuple[HoldChannel, ...] = ()
    timeout_s: int = DEFAULT_TIMEOUT_S
    keep_alive: KeepAlive | None = None
    meta: dict[str, str] = field(default_factory=dict)
    next_link: NextLink | None = None
    gone_link: str | None = None


def is_document(headers: Headers) -> bool:
    """Whether the body is the JSON form of instructions."""
    types = [value for name, value in headers if name.lower() == b"content-type"]
    return bool(types) and types[0].partition(b";")[0].strip().lower() == b"application/grip-instruct"


def read_headers(headers: Headers, *, status: int, reason: str, body: bytes, uri: str) -> Instruction:
    """Return what the headers tell; `uri` is the address that the answer is of. The body is not looked at.

    Raises:
        BadInstruction: a header makes no sense; names it.
    """
    next_link, gone_link = _read_links(headers, uri)
    status, reason = _read_status(headers, status, reason)
    keep_alives = find_all(headers, "Grip-Keep-Alive")
    return Instruction(
        answer=Answer(status, reason, tuple(_headers_for_client(headers)), body),
        mode=_read_mode(headers),
        channels=limit_channels(_read_channels(headers)),
        timeout_s=_read_timeout(headers),
        keep_alive=parse_keep_alive(keep_alives[0]) if keep_alives else None,
        meta=dict(_read_meta(headers)),
        next_link=next_link,
        gone_link=gone_link,
    )


def to_channel(text: str, place: str) -> ChannelName:
    """Return the name of a channel.

    Raises:
        BadInstruction: no channel can have it.
    """
    try:
        return parse_channel_name(text)
    except InvalidRequest as error:
        raise refused(place, error.message, cure=error.cure) from None


def to_filters(names: tuple[str, ...], place: str) -> tuple[str, ...]:
    """Return the filters of a channel.

    Raises:
        BadInstruction: they are too many.
    """
    if len(names) > MAX_FILTERS_PER_CHANNEL:
        raise refused(place, f"holds {len(names)} filters", cure=f"use at most {MAX_FILTERS_PER_CHANNEL} for a channel")
    return names


def limit_channels(channels: list[HoldChannel]) -> tuple[HoldChannel, ...]:
    """Return the channels that are honoured: the last entry of each name, of the first names."""
    last = {channel.name: channel for channel in channels}
    return tuple(last.values())[:MAX_CHANNELS]


def to_timeout(seconds: int) -> int:
    """Return the seconds that a response is held."""
    return min(max(seconds, MIN_TIMEOUT_S), MAX_SECONDS)


def standard_reason(status: int) -> str:
    """Return the usual words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _read_mode(headers: Headers) -> Mode | None:
    values = find_all(headers, "Grip-Hold")
    if not values:
        return None
    if values[0] == "response":
        return "response"
    if values[0] == "stream":
        return "stream"
    raise refused("Grip-Hold", f"is {shown(values[0])}", cure="use 'response' or 'stream'")


def _read_channels(headers: Headers) -> list[HoldChannel]:
    name = "Grip-Channel"
    return [
        HoldChannel(to_channel(value.first, name), value.get("prev-id"), to_filters(value.get_all("filter"), name))
        for value in parse_list(name, find_all(headers, name))
    ]


def _read_timeout(headers: Headers) -> int:
    values = find_all(headers, "Grip-Timeout")
    return to_timeout(_to_seconds(values[0], "Grip-Timeout")) if values else DEFAULT_TIMEOUT_S


def _to_seconds(text: str, place: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise refused(place, f"is {shown(text)}", cure="use whole seconds, 0 or more")


def _read_meta(headers: Headers) -> list[tuple[str, str]]:
    pairs = [parse_pair(value.first) for value in parse_list("Grip-Set-Meta", find_all(headers, "Grip-Set-Meta"))]
    if any(not key for key, _ in pairs):
        raise refused("Grip-Set-Meta", "a value has no name", cure='write name="value"')
    return pairs


def _read_status(headers: Headers, status: int, reason: str) -> tuple[int, str]:
    values = find_all(headers, "Grip-Status")
    if not values or not values[0]:
        return status, reason
    code, _, words = values[0].partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) <= 3):
        raise refused(
            "Grip-Status", f"is {shown(values[0])}", cure="use a status from 0 to 999, as in 304 Not Modified"
        )
    return int(code), words.strip() or standard_reason(int(code))


def _headers_for_client(headers: Headers) -> list[tuple[bytes, bytes]]:
    exposed = find_all(headers, "Grip-Expose-Headers")
    names = {value.first.lower().encode() for value in parse_list("Grip-Expose-Headers", exposed)}
    passed = [(name, value) for name, value in headers if name[:5].lower() != b"grip-"]
    return [(name, value) for name, value in passed if name.lower() in names] if exposed else passed


def _read_links(headers: Headers, uri: str) -> tuple[NextLink | None, str | None]:
    next_link = gone_link = None
    for value in parse_list("Grip-Link", find_all(headers, "Grip-Link")):
        if not value.parameters:
            continue
        target = _read_target(value.first, uri)
        relation = value.get("rel")
        if relation == "next" and next_link is None:
            next_link = NextLink(target, _read_link_timeout(value))
        elif relation == "gone" and gone_link is None:
            gone_link = target
    return next_link, gone_link


def _read_target(text: str, base: str) -> str:
    if len(text) < 2 or text[0] != "<" or text[-1] != ">":
        raise refused("Grip-Link", f"{shown(text)} is not in angle brackets", cure="write </path>; rel=next")
    target = text[1:-1]
    try:
        joined = urljoin(base, target)
        parts = urlsplit(joined)
        is_good = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or _NOT_IN_URI.search(target):
        raise refused("Grip-Link", f"{shown(target)} is no address", cure="write an http or https address, or a path")
    return joined


def _read_link_timeout(value: Value) -> int:
    text = value.get("timeout")
    if text is None:
        return DEFAULT_LINK_TIMEOUT_S
    return min(max(_to_seconds(text, "Grip-Link"), 1), MAX_SECONDS)
