"""From the body of a publish request to items: parse, check, and name the place of every fault.

Two forms mean the same: formats as members of the item ("flat"), or inside `formats`, which is then used alone.
Source: docs/api/publish.md.
"""

import base64
import binascii
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, NoReturn, get_args

import msgspec
from msgspec import UNSET, Raw, UnsetType

from fanoutcloud.core.errors import InvalidItem, InvalidRequest
from fanoutcloud.core.items import (
    Action,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Item,
    RequestMethod,
    WsMessage,
    XmppStanza,
)
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.core.stanza_format import parse_stanza
from fanoutcloud.core.tags import TagValue, check_tags

#: More items than this in one request are refused; libraries send up to ten.
MAX_ITEMS_PER_REQUEST = 1000
MAX_ITEM_ID_BYTES = 512
#: RFC 6455 §5.5: a control frame carries at most 125 bytes, two of which are the close code.
MAX_CLOSE_REASON_BYTES = 123

#: Headers of one `http-request`, and their names and values together.
MAX_REQUEST_HEADERS = 32
MAX_REQUEST_HEADER_BYTES = 8_192

_OUR_FORMATS = {"json-object", "fpp", "http-stream", "http-response", "ws-message", "http-request", "xmpp-stanza"}
_A_FORMAT = "one of json-object, http-stream, http-response, ws-message, http-request, xmpp-stanza"
_EXAMPLE = '{"items":[{"channel":"hello","json-object":{"text":"hi"}}]}'


class _WireHttpStream(msgspec.Struct, rename="kebab"):
    content: str | None = None
    content_bin: str | None = None
    action: Action = "send"
    content_filters: tuple[str, ...] | None = None


class _WireHttpResponse(msgspec.Struct, rename="kebab"):
    code: int | str = 200
    reason: str | None = None
    headers: dict[str, str] | tuple[tuple[str, str], ...] = ()
    body: str | None = None
    body_bin: str | None = None
    body_patch: list[Raw] | None = None
    action: Action = "send"
    content_filters: tuple[str, ...] | None = None


class _WireWsMessage(msgspec.Struct, rename="kebab"):
    content: str | None = None
    content_bin: str | None = None
    type: Literal["text", "binary", "ping", "pong"] | None = None
    action: Action = "send"
    code: int | str | None = None
    reason: str = ""
    content_filters: tuple[str, ...] | None = None


class _WireHttpRequest(msgspec.Struct, rename="kebab"):
    method: str = "POST"
    headers: dict[str, str] | tuple[tuple[str, str], ...] = ()
    body: str | None = None
    body_bin: str | None = None


class _WireXmppStanza(msgspec.Struct):
    content: str | None = None


class _WireFormats(msgspec.Struct, rename="kebab"):
    json_object: Raw | UnsetType = UNSET
    fpp: Raw | UnsetType = UNSET  # the older name of json-object
    http_stream: _WireHttpStream | None = None
    http_response: _WireHttpResponse | None = None
    ws_message: _WireWsMessage | None = None
    http_request: _WireHttpRequest | None = None
    # For receivers that this server does not reach; accepted, as any unknown format is.
    xmpp_stanza: _WireXmppStanza | None = None


class _WireItem(_WireFormats, rename="kebab"):
    channel: str | None = None
    id: str | int | float | None = None
    prev_id: str | int | float | None = None
    formats: _WireFormats | None = None
    meta: dict[str, str] | None = None
    no_seq: bool = False
    size: int | str = 0  # for accounting of other servers; checked and not used
    tags: dict[str, TagValue] | None = None


class _WireRequest(msgspec.Struct):
    items: list[_WireItem]


class _FormatNames(msgspec.Struct):
    formats: dict[str, Raw] | None = None


class _RequestFormatNames(msgspec.Struct):
    items: list[_FormatNames]


_request_decoder = msgspec.json.Decoder(_WireRequest)
_names_decoder = msgspec.json.Decoder(_RequestFormatNames)


def parse_publish(body: bytes, *, channel: ChannelName | None = None) -> list[Item]:
    """Return the items of a publish request, all checked; `channel` is used for items that name none.

    Raises:
        InvalidRequest: the body is no JSON, or not of the shape `{"items": [...]}`.
        InvalidItem: an item is wrong; `field` is its place.
    """
    request = _decode(body)
    if not request.items:
        raise InvalidRequest("the list is empty", cure=f"send at least one item, as in {_EXAMPLE}", field="items")
    if len(request.items) > MAX_ITEMS_PER_REQUEST:
        raise InvalidRequest(
            f"holds {len(request.items):,} items",
            cure=f"send at most {MAX_ITEMS_PER_REQUEST:,} items per request",
            field="items",
        )
    names: list[dict[str, Raw]] = []

    def named() -> list[dict[str, Raw]]:
        if not names:
            names.extend(wire.formats or {} for wire in _names_decoder.decode(body).items)
        return names

    return [_to_item(wire, index, named, channel) for index, wire in enumerate(request.items)]


def _decode(body: bytes) -> _WireRequest:
    try:
        body.decode()  # msgspec does not look inside raw values; what leaves as WebSocket text must be UTF-8
        return _request_decoder.decode(body)
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"byte {error.start} is not UTF-8", cure="send the JSON as UTF-8", field="body") from None
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply", cure="send flatter values", field="body") from None
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        field = path.rstrip("`").lstrip(".") or "body"
        error_type = InvalidItem if field.startswith("items[") else InvalidRequest
        raise error_type(_plain(message), cure=f"see the shape in {_EXAMPLE}", field=field) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(_plain(str(error)), cure="send valid JSON", field="body") from None


def _plain(message: str) -> str:
    """Return a message of msgspec in our spelling: lower case, no back quotes, on one short line.

    It may quote what was sent, line breaks and all.
    """
    message = "".join(letter if letter.isprintable() else "?" for letter in message[:200].replace("`", "'"))
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def _check_size(size: int | str, place: str) -> None:
    digits = str(size)
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidItem(f"must be 0 or more, not {digits[:20]!r}", cure="leave it out", field=f"{place}.size")


#: Names of the values in `formats`, item by item: asked for only where a format is missing, since it costs reading
#: the body once more.
_NamedFormats = Callable[[], list[dict[str, Raw]]]


def _to_item(wire: _WireItem, index: int, named: _NamedFormats, channel: ChannelName | None) -> Item:
    """Return the item. The places of its members are put together where there is a fault to tell, and not before:
    that was a third of the time that an item took here.
    """
    place = f"items[{index}]"
    channel = channel if wire.channel is None else _to_channel(wire.channel, place)
    if channel is None:
        raise InvalidItem("has no channel", cure='add "channel": "NAME"', field=place)
    if wire.size != 0:
        _check_size(wire.size, place)
    formats, at = (wire, place) if wire.formats is None else (wire.formats, f"{place}.formats")
    json_object = formats.json_object if formats.json_object is not UNSET else formats.fpp
    stanza = formats.xmpp_stanza
    item = Item(
        channel=channel,
        id=_to_id(wire.id, place, "id"),
        prev_id=_to_id(wire.prev_id, place, "prev-id"),
        json_object=None if json_object is UNSET else _on_one_line(json_object),
        http_stream=None if formats.http_stream is None else _to_http_stream(formats.http_stream, at),
        http_response=None if formats.http_response is None else _to_http_response(formats.http_response, at),
        ws_message=None if formats.ws_message is None else _to_ws_message(formats.ws_message, at),
        http_request=None if formats.http_request is None else _to_http_request(formats.http_request, at),
        xmpp_stanza=None if stanza is None else _to_xmpp_stanza(stanza, f"{at}.xmpp-stanza"),
        meta=wire.meta or {},
        no_seq=wire.no_seq,
        tags=wire.tags or {},
    )
    if wire.tags:
        check_tags(wire.tags, f"{place}.tags")
    if json_object is UNSET and not item.formats and not _has_foreign_format(wire, index, named):
        raise InvalidItem("has no format", cure=f"add {_A_FORMAT}", field=at)
    return item


def _has_foreign_format(wire: _WireItem, index: int, named: _NamedFormats) -> bool:
    """Tell whether an item without a format of ours has another one; those are accepted and passed over."""
    return wire.formats is not None and not named()[index].keys() <= _OUR_FORMATS


def _to_channel(name: str, place: str) -> ChannelName:
    try:
        return parse_channel_name(name)
    except InvalidRequest as error:
        raise InvalidItem(error.message, cure=error.cure, field=f"{place}.channel") from None


def _to_id(value: str | float | None, place: str, member: str) -> str | None:
    if value is None:
        return None
    text = str(value)
    if len(text) > MAX_ITEM_ID_BYTES or len(text.encode(errors="replace")) > MAX_ITEM_ID_BYTES:
        raise InvalidItem(
            f"is longer than {MAX_ITEM_ID_BYTES} bytes", cure="use a shorter id", field=f"{place}.{member}"
        )
    return text


def _on_one_line(raw: Raw) -> bytes:
    """Return the JSON text without line breaks, which would end a line of a stream early."""
    text = bytes(raw)
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


def _to_http_stream(wire: _WireHttpStream, at: str) -> HttpStream:
    place = f"{at}.http-stream"
    content = _content(wire.content, wire.content_bin, place)
    if content is None:
        if wire.action == "send":
            _lacks(place, "'content', 'content-bin' or 'action'")
        content = b""
    return HttpStream(content=content, action=wire.action, content_filters=wire.content_filters)


def _to_http_response(wire: _WireHttpResponse, at: str) -> HttpResponse:
    place = f"{at}.http-response"
    body = _content(wire.body, wire.body_bin, place, name="body")
    patch = None if wire.body_patch is None else msgspec.json.encode(wire.body_patch)
    if body is None and patch is None and wire.action == "send":
        _lacks(place, "'body', 'body-bin' or 'body-patch'")
    headers = wire.headers.items() if isinstance(wire.headers, dict) else wire.headers
    return HttpResponse(
        code=_status_code(wire.code, f"{place}.code"),
        reason=wire.reason if wire.reason is None else _header_text(wire.reason, f"{place}.reason"),
        headers=tuple(_header(name, value, f"{place}.headers") for name, value in headers),
        body=body,
        body_patch=patch,
        action=wire.action,
        content_filters=wire.content_filters,
    )


def _to_ws_message(wire: _WireWsMessage, at: str) -> WsMessage:
    place = f"{at}.ws-message"
    content = _content(wire.content, wire.content_bin, place)
    kind = wire.type or ("text" if wire.content_bin is None else "binary")
    if content is None:
        if wire.action == "send" and kind in ("text", "binary"):
            _lacks(place, "'content', 'content-bin' or 'action'")
        content = b""
    if kind == "text" and wire.content_bin is not None:
        _check_utf8(content, f"{place}.content-bin")
    if kind in ("ping", "pong") and len(content) > MAX_CLOSE_REASON_BYTES + 2:
        raise InvalidItem("a ping or pong carries at most 125 bytes", cure="send less content", field=place)
    return WsMessage(
        content=content,
        type=kind,
        action=wire.action,
        code=_close_code(wire.code, f"{place}.code"),
        reason=_close_reason(wire.reason, f"{place}.reason"),
        content_filters=wire.content_filters,
    )


def _to_http_request(wire: _WireHttpRequest, at: str) -> HttpRequest:
    place = f"{at}.http-request"
    method = next((known for known in get_args(RequestMethod) if known == wire.method.upper()), None)
    if method is None:
        cure = f"use {', '.join(get_args(RequestMethod))}"
        raise InvalidItem(f"can't be {wire.method[:20]!r}", cure=cure, field=f"{place}.method")
    headers = wire.headers.items() if isinstance(wire.headers, dict) else wire.headers
    checked = tuple(_header(name, value, f"{place}.headers") for name, value in headers)
    size = sum(len(name) + len(value) for name, value in checked)
    if len(checked) > MAX_REQUEST_HEADERS or size > MAX_REQUEST_HEADER_BYTES:
        cure = f"send {MAX_REQUEST_HEADERS} headers of {MAX_REQUEST_HEADER_BYTES:,} bytes together at most"
        raise InvalidItem("holds too many headers", cure=cure, field=f"{place}.headers")
    return HttpRequest(method, checked, _content(wire.body, wire.body_bin, place, name="body") or b"")


def _to_xmpp_stanza(wire: _WireXmppStanza, place: str) -> XmppStanza:
    if wire.content is None:
        _lacks(place, "'content'")
    return parse_stanza(wire.content, place)


def _lacks(place: str, members: str) -> NoReturn:
    raise InvalidItem(f"needs {members}", cure="add one of them", field=place)


def _content(text: str | None, encoded: str | None, place: str, *, name: str = "content") -> bytes | None:
    """Return the bytes of a text member or of its Base64 twin, which wins when both are there."""
    if encoded is None:
        return None if text is None else text.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidItem("is not Base64", cure="encode the bytes as Base64", field=f"{place}.{name}-bin") from None


def _check_utf8(content: bytes, field: str) -> None:
    try:
        content.decode()
    except UnicodeDecodeError:
        raise InvalidItem("is sent as text but is not UTF-8", cure="use type 'binary'", field=field) from None


def _status_code(value: int | str, field: str) -> int:
    digits = str(value)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise InvalidItem(f"must be 0 to 999, not {digits[:20]!r}", cure=f"use {HTTPStatus.OK.value}", field=field)
    return int(digits)


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")  # RFC 9110 §5.6.2: token
_NOT_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _header(name: str, value: str, field: str) -> tuple[str, str]:
    if not _HEADER_NAME.match(name):
        raise InvalidItem(f"{name[:40]!r} is no header name", cure="use letters, digits and dashes", field=field)
    return name, _header_text(value, f"{field}.{name[:40]}")


def _header_text(value: str, field: str) -> str:
    if _NOT_IN_HEADER.search(value):
        raise InvalidItem("holds a control character", cure="send it on one line", field=field)
    return value


def _close_code(code: int | str | None, field: str) -> int | None:
    """RFC 6455 §7.4: 1004 to 1006 and 1015 are never sent; applications use 3000 to 4999."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < 6:
        code = int(code)
    if code is None:
        return None
    if isinstance(code, int) and (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        return code
    raise InvalidItem(f"{str(code)[:20]} can't be sent as a close code", cure="use 1000 or 3000 to 4999", field=field)


def _close_reason(reason: str, field: str) -> str:
    if len(reason.encode()) > MAX_CLOSE_REASON_BYTES:
        raise InvalidItem(f"is longer than {MAX_CLOSE_REASON_BYTES} bytes", cure="use a shorter reason", field=field)
    return reason
