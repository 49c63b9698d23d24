"""The messages that subscribers get, as JSON text. The same objects on every transport (docs/api/subscribe.md).

Items are put together around the publisher's own bytes, so that nothing is decoded and encoded again.
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from fanoutcloud.core.errors import FanoutError, limit_members
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem, StreamPosition

_encode = msgspec.json.Encoder().encode

KEEP_ALIVE = b'{"type":"keep-alive"}'
PONG = b'{"type":"pong"}'


def item_message(stored: StoredItem, content: bytes | None) -> bytes:
    """Return the message for an item.

    Its JSON is in `data`. An item without JSON carries the transport's own format, `content`: as `text` where that is
    UTF-8, else as `base64`. An item with nothing for this transport still tells its position, as type `position`.
    """
    item, position = stored.item, stored.position
    place = _encode(item.channel), position.epoch.encode(), position.offset
    data = item.json_object
    if data is not None and item.id is None and not item.tags and item.user is None:  # in one go, as most are
        return b'{"type":"item","channel":%b,"position":"%b:%d","data":%b}' % (*place, data)
    head = b'"channel":%b,"position":"%b:%d"' % place
    if item.id is not None:
        head += b',"id":' + _encode(item.id)
    if item.tags:
        head += b',"tags":' + _encode(item.tags)
    if item.user is not None:
        head += b',"user":' + _encode(item.user)
    if data is not None:
        return b'{"type":"item",%b,"data":%b}' % (head, data)
    if content is None:
        return b'{"type":"position",%b}' % head
    return b'{"type":"item",%b,%b}' % (head, _content_member(content))


def delta_message(stored: StoredItem, base: StreamPosition, patch: bytes) -> bytes:
    """Return the message for an item as a JSON Merge Patch of the one at `base`."""
    item = stored.item
    head = b'"channel":%b,"position":"%b"' % (_encode(item.channel), str(stored.position).encode())
    if item.id is not None:
        head += b',"id":' + _encode(item.id)
    if item.tags:
        head += b',"tags":' + _encode(item.tags)
    return b'{"type":"item",%b,"base":"%b","patch":%b}' % (head, str(base).encode(), patch)


def _content_member(content: bytes) -> bytes:
    try:
        return b'"text":' + _encode(content.decode())
    except UnicodeDecodeError:
        return b'"base64":"%b"' % base64.b64encode(content)


def ws_content(item: Item) -> bytes | None:
    """Return what `ws-message` carries for a page, or None; pings and closes are not content."""
    message = item.ws_message
    if message is None or message.action != "send" or message.type not in ("text", "binary"):
        return None
    return message.content


def stream_content(item: Item) -> bytes | None:
    """Return what `http-stream` adds to a response, or None."""
    stream = item.http_stream
    return stream.content if stream is not None and stream.action == "send" else None


def response_content(item: Item) -> bytes | None:
    """Return the body that `http-response` answers with, or None."""
    response = item.http_response
    return response.body if response is not None and response.action == "send" else None


def welcome_message(
    *, realm: str, connection: str, keep_alive_s: float, grant: Mapping[str, object] | None = None
) -> bytes:
    whole = int(keep_alive_s)
    seconds = whole if whole == keep_alive_s else keep_alive_s
    return _message("welcome", realm=realm, connection=connection, keep_alive_s=seconds, **(grant or {}))


def published_message(channel: ChannelName, position: str | None, id_: str | None) -> bytes:
    return _message("published", channel=channel, position=position, **({} if id_ is None else {"id": id_}))


def authorized_message(grant: Mapping[str, object]) -> bytes:
    return _message("authorized", **grant)


def token_expired_message(grace_s: float) -> bytes:
    return _message("token-expired", grace_s=int(grace_s))


def subscribed_message(channel: ChannelName, position: StreamPosition, *, recovered: bool) -> bytes:
    return _message("subscribed", channel=channel, position=str(position), recovered=recovered)


def position_message(channel: ChannelName, position: StreamPosition) -> bytes:
    return _message("position", channel=channel, position=str(position))


def unsubscribed_message(channel: ChannelName) -> bytes:
    return _message("unsubscribed", channel=channel)


def pattern_subscribed_message(pattern: str) -> bytes:
    return _message("subscribed", pattern=pattern)


def pattern_unsubscribed_message(pattern: str) -> bytes:
    return _message("unsubscribed", pattern=pattern)


def reset_message(channel: ChannelName, position: StreamPosition, reason: str) -> bytes:
    return _message("reset", channel=channel, position=str(position), reason=reason)


def closing_message(reason: str, text: str, *, may_reconnect: bool) -> bytes:
    return _message("closing", reason=reason, message=text, reconnect=may_reconnect)


def error_message(
    error: FanoutError, *, channel: str | None = None, id_: str | None = None, pattern: str | None = None
) -> bytes:
    members: dict[str, Any] = dict(error_members(error))  # Any: values of JSON
    if id_ is not None:
        members["id"] = id_
    if channel is not None:
        members["channel"] = channel
    if pattern is not None:
        members["pattern"] = pattern
    return _message("error", **members)


def error_members(error: FanoutError) -> Mapping[str, Any]:  # Any: values of JSON
    """Return code, message and cure of an error, and its place where it has one."""
    members = {"code": error.code, "message": str(error), "cure": error.cure}
    if error.field:
        members["field"] = error.field
    if error.channel is not None:
        members["channel"] = error.channel
    return members | limit_members(error)


def _message(type_: str, **members: Any) -> bytes:  # Any: values of JSON
    return _encode({"type": type_, **members})
