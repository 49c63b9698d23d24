"""Instructions in the body of an answer: `application/grip-instruct` (docs/topics/grip.md).

Source: GRIP: instructions, JSON document.
"""

import base64
import binascii
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from fanoutcloud.grip.bad_instruction import BadInstruction, refused, shown
from fanoutcloud.grip.header_values import Headers
from fanoutcloud.grip.instructions import (
    Answer,
    HoldChannel,
    Instruction,
    Mode,
    is_document,
    limit_channels,
    read_headers,
    standard_reason,
    to_channel,
    to_filters,
    to_timeout,
)
from fanoutcloud.grip.keep_alives import DEFAULT_TIMEOUT_S as DEFAULT_KEEP_ALIVE_S
from fanoutcloud.grip.keep_alives import KeepAlive

Object = dict[str, Any]  # Any: values of JSON

_EXAMPLE = 'see the shape in {"hold":{"mode":"response","channels":[{"name":"a"}]},"response":{"body":"b"}}'
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAMES = {dict: "an object", list: "a list", str: "text", bool: "true or false"}


def read_instruction(headers: Headers, *, status: int, reason: str, body: bytes, uri: str) -> Instruction:
    """Return what an answer tells, by its headers or its body or both.

    Raises:
        BadInstruction: it makes no sense; names the header or the member.
    """
    told = read_headers(headers, status=status, reason=reason, body=body, uri=uri)
    if not is_document(headers):
        return told
    if status != 200:
        raise refused("status", f"is {status} for application/grip-instruct", cure="answer 200; use response.code")
    document = _decode(body)
    hold = _member(document, "hold", dict, "")
    if hold is None and "response" not in document and told.next_link is None:
        raise refused("response", "is missing, and so is hold", cure=_EXAMPLE)
    told = dataclasses.replace(told, answer=_read_response(document, told, status))
    return told if hold is None else _join(told, hold)


def _decode(body: bytes) -> Object:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused("body", f"is no JSON: {str(error)[:100]}", cure=_EXAMPLE) from None
    if not isinstance(document, dict):
        raise refused("body", "is no JSON object", cure=_EXAMPLE)
    return document


def _join(told: Instruction, hold: Object) -> Instruction:
    """Add what the document's `hold` says to what the headers say: its mode and time-out win, channels are joined."""
    channels = [_read_channel(one, f"hold.channels[{at}]") for at, one in enumerate(_read_channel_list(hold))]
    keep_alive = _read_keep_alive(hold)
    return dataclasses.replace(
        told,
        mode=_read_mode(hold),
        channels=limit_channels([*told.channels, *channels]),
        timeout_s=_read_timeout(hold, "timeout", "hold.", told.timeout_s, to_timeout),
        keep_alive=told.keep_alive if keep_alive is None else keep_alive,
        meta=told.meta | _read_meta(hold),
    )


def _read_mode(hold: Object) -> Mode:
    mode = _member(hold, "mode", str, "hold.")
    if mode == "stream":
        return "stream"
    if mode in (None, "response"):
        return "response"
    raise refused("hold.mode", f"is {shown(mode)}", cure="use 'response' or 'stream'")


def _read_channel_list(hold: Object) -> list[Any]:  # Any: values of JSON
    channels: list[Any] | None = _member(hold, "channels", list, "hold.")
    if channels is None:
        raise refused("hold.channels", "is missing", cure='name the channels, as in [{"name":"a"}]')
    return channels


def _read_channel(value: object, place: str) -> HoldChannel:
    if not isinstance(value, dict):
        raise _wrong_type(place, dict)
    name = _member(value, "name", str, f"{place}.")
    if name is None:
        raise refused(f"{place}.name", "is missing", cure="name the channel")
    filters = _member(value, "filters", list, f"{place}.") or []
    if not all(isinstance(one, str) for one in filters):
        raise refused(f"{place}.filters", "holds something that is no text", cure='list names, as in ["skip-self"]')
    return HoldChannel(
        name=to_channel(name, f"{place}.name"),
        prev_id=_member(value, "prev-id", str, f"{place}."),
        filters=to_filters(tuple(filters), f"{place}.filters"),
    )


def _read_timeout(value: Object, name: str, place: str, default: int, limit: Any) -> int:  # Any: a function
    number = value.get(name)
    if number is None:
        return default
    return int(limit(_to_int(number, f"{place}{name}")))


def _to_int(value: object, place: str, *, most: int = 10**9) -> int:
    """Return a whole number of 0 or more; the same in a text does, too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise refused(place, f"is {shown(value)}", cure=f"use a whole number from 0 to {most}")
    return value


def _read_keep_alive(hold: Object) -> KeepAlive | None:
    value = _member(hold, "keep-alive", dict, "hold.")
    if value is None:
        return None
    place = "hold.keep-alive."
    content = _content(value, "content", place)
    if content is None:
        raise refused(f"{place}content", "is missing", cure="add content or content-bin")
    timeout_s = _read_timeout(value, "timeout", place, DEFAULT_KEEP_ALIVE_S, lambda seconds: max(1, seconds))
    return KeepAlive(content=content, timeout_s=timeout_s, is_interval=True)


def _read_meta(hold: Object) -> dict[str, str]:
    meta = _member(hold, "meta", dict, "hold.") or {}
    for name, value in meta.items():
        if not isinstance(value, str):
            raise _wrong_type(f"hold.meta.{shown(name)[1:-1]}", str)
    return meta


def _read_response(document: Object, told: Instruction, status: int) -> Answer:
    """Return the answer for the client; `Grip-Status` counts where the document has no code."""
    response: Object = _member(document, "response", dict, "") or {}
    code, reason = told.answer.status, told.answer.reason
    if response.get("code") is not None:
        code = _to_int(response["code"], "response.code", most=999)
        reason = standard_reason(code)
    elif code == status:
        reason = standard_reason(code)
    named = _member(response, "reason", str, "response.")
    if named is not None:
        reason = _header_text(named, "response.reason")
    body = _content(response, "body", "response.") or b""
    return Answer(code, reason, tuple(_read_headers(response)), body)


def _read_headers(response: Object) -> Iterator[tuple[bytes, bytes]]:
    headers = response.get("headers")
    pairs: list[Any] = list(headers.items()) if isinstance(headers, dict) else headers or []  # Any: values of JSON
    if not isinstance(pairs, list):
        raise refused(
            "response.headers", "is no object and no list", cure='write {"Name":"value"} or [["Name","value"]]'
        )
    for at, pair in enumerate(pairs):
        if not (isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(one, str) for one in pair)):
            raise refused(f"response.headers[{at}]", "is no pair of texts", cure='write ["Name","value"]')
        name, value = pair
        if not _HEADER_NAME.match(name):
            raise refused("response.headers", f"{shown(name)} is no header name", cure="use letters, digits and dashes")
        if name[:5].lower() != "grip-":
            yield name.encode(), _header_text(value, f"response.headers.{name[:40]}").encode()


def _header_text(text: str, place: str) -> str:
    if _NOT_IN_HEADER.search(text):
        raise refused(place, "holds a control character", cure="send it on one line")
    return text


def _content(value: Object, name: str, place: str) -> bytes | None:
    """Return the bytes of a member or of its Base64 twin, which wins."""
    encoded = _member(value, f"{name}-bin", str, place)
    if encoded is None:
        text = _member(value, name, str, place)
        return None if text is None else _utf8(text, f"{place}{name}")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise refused(f"{place}{name}-bin", "is not Base64", cure="encode the bytes as Base64") from None


def _utf8(text: str, place: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(place, "holds half of a character pair", cure=f"use {place}-bin for bytes") from None


def _member(value: Object, name: str, kind: type, place: str) -> Any:  # Any: a value of JSON, or None
    """Return a member that is of the kind, or None if it is missing or null."""
    member = value.get(name)
    if member is not None and not isinstance(member, kind):
        raise _wrong_type(f"{place}{name}", kind)
    return member


def _wrong_type(place: str, kind: type) -> BadInstruction:
    return refused(place, f"is not {_NAMES[kind]}", cure=_EXAMPLE)
