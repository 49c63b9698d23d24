"""What an origin tells the edge between the messages of a WebSocket: JSON behind `c:`. Pure.

Whatever can't be understood is passed over and the connection goes on. Source: GRIP: WebSocket control messages.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.grip.header_values import parse_list

MessageType = Literal["text", "binary", "ping", "pong"]

CONTROL_PREFIX = b"c:"
DEFAULT_MESSAGE_PREFIX = b"m:"
DEFAULT_KEEP_ALIVE_S = 55
DEFAULT_DELAY_S = 1
_MAX_SECONDS = 604_800

Object = dict[str, Any]  # Any: values of JSON


@dataclass(frozen=True, slots=True)
class Message:
    """A WebSocket message."""

    type: MessageType
    content: bytes


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe to a channel, or replace its filters."""

    channel: ChannelName
    filters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Leave a channel."""

    channel: ChannelName


@dataclass(frozen=True, slots=True)
class Detach:
    """End the origin's side and keep the client."""


@dataclass(frozen=True, slots=True)
class SetMeta:
    """Set a meta value, or remove it."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class SetKeepAlive:
    """Send a message when idle, or at intervals; None turns it off."""

    message: Message | None
    timeout_s: int = DEFAULT_KEEP_ALIVE_S
    is_interval: bool = False


@dataclass(frozen=True, slots=True)
class SendDelayed:
    """Send a message after a while."""

    message: Message
    delay_s: int = DEFAULT_DELAY_S


@dataclass(frozen=True, slots=True)
class FlushDelayed:
    """Send the delayed message now."""


Control = Subscribe | Unsubscribe | Detach | SetMeta | SetKeepAlive | SendDelayed | FlushDelayed


class _Misunderstood(Exception):
    """A message that is passed over."""


def parse_control(text: bytes) -> Control | None:
    """Return what the JSON says, `text` being without the prefix; None if it says nothing that we know."""
    try:
        value = msgspec.json.decode(text)
        return _read(value) if isinstance(value, dict) else None
    except (msgspec.DecodeError, UnicodeError, RecursionError, _Misunderstood):
        return None


def _read(value: Object) -> Control | None:
    match value.get("type"):
        case "subscribe":
            return Subscribe(_channel(value), _filters(value))
        case "unsubscribe":
            return Unsubscribe(_channel(value))
        case "detach":
            return Detach()
        case "set-meta":
            return SetMeta(_text(value, "name"), None if value.get("value") is None else _text(value, "value"))
        case "keep-alive":
            return _keep_alive(value)
        case "send-delayed":
            return _delayed(value)
        case "flush-delayed":
            return FlushDelayed()
        case _:
            return None


def _text(value: Object, name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise _Misunderstood
    return text


def _channel(value: Object) -> ChannelName:
    try:
        return parse_channel_name(_text(value, "channel"))
    except InvalidRequest:
        raise _Misunderstood from None


def _filters(value: Object) -> tuple[str, ...]:
    filters = value.get("filters") or []
    if not isinstance(filters, list) or not all(isinstance(one, str) for one in filters):
        raise _Misunderstood
    return tuple(filters)


def _keep_alive(value: Object) -> SetKeepAlive:
    content = _content(value)
    mode = value.get("mode", "idle")
    if mode not in ("idle", "interval"):
        raise _Misunderstood
    message = None if content is None else Message(_message_type(value), content)
    return SetKeepAlive(message, max(1, _seconds(value, DEFAULT_KEEP_ALIVE_S)), is_interval=mode == "interval")


def _delayed(value: Object) -> SendDelayed:
    content = _content(value)
    if content is None:
        raise _Misunderstood
    return SendDelayed(Message(_message_type(value), content), _seconds(value, DEFAULT_DELAY_S))


def _content(value: Object) -> bytes | None:
    if value.get("content-bin") is not None:
        try:
            return base64.b64decode(_text(value, "content-bin"), validate=True)
        except (binascii.Error, ValueError):
            raise _Misunderstood from None
    return None if value.get("content") is None else _text(value, "content").encode()


def _message_type(value: Object) -> MessageType:
    match value.get("message-type", "text"):
        case "text":
            return "text"
        case "binary":
            return "binary"
        case "ping":
            return "ping"
        case "pong":
            return "pong"
        case _:
            raise _Misunderstood


def _seconds(value: Object, default: int) -> int:
    seconds = value.get("timeout")
    if seconds is None:
        return default
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise _Misunderstood
    return min(seconds, _MAX_SECONDS)


@dataclass(frozen=True, slots=True)
class GripExtension:
    """The extension `grip` of a WebSocket, as the origin accepted it."""

    message_prefix: bytes = DEFAULT_MESSAGE_PREFIX


def find_extension(values: list[str]) -> GripExtension | None:
    """Return the extension if the values of `Sec-WebSocket-Extensions` have it.

    Raises:
        BadInstruction: quotes are left open.
    """
    for value in parse_list("Sec-WebSocket-Extensions", values):
        if value.first == "grip":
            prefix = value.get("message-prefix")
            return GripExtension(DEFAULT_MESSAGE_PREFIX if prefix is None else prefix.encode())
    return None


def split_message(content: bytes, extension: GripExtension, *, is_text: bool) -> Control | bytes | None:
    """Return what a whole message of the origin is: something for the edge, content for the client, or neither."""
    if is_text and content.startswith(CONTROL_PREFIX):
        return parse_control(content[len(CONTROL_PREFIX) :])
    if content.startswith(extension.message_prefix):
        return content[len(extension.message_prefix) :]
    return None
