"""What a Bayeux message asks for, judged by itself: without sessions, channels or I/O.

Source: Bayeux 1.0, and what Faye 1.4 sends and expects (docs/api/bayeux.md).
"""

import re
from dataclasses import dataclass
from typing import Literal

from msgspec import Raw

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.edge.bayeux.messages import Message, write_error, write_reply

VERSION = "1.0"
CONNECTION_TYPES = ("long-polling", "cross-origin-long-polling", "callback-polling", "websocket", "eventsource")

#: Faye's clients throw when an item of any other name reaches them, so no other name may be subscribed.
_CHANNEL = re.compile(r"(?:/[A-Za-z0-9\-_!~()$@]+)+\Z")
_WILDCARD = re.compile(r"(?:/[A-Za-z0-9\-_!~()$@]+)*/\*{1,2}\Z")
_VERSION = re.compile(r"[0-9]+(\.[A-Za-z0-9][A-Za-z0-9\-_]*)*\Z")

Kind = Literal["handshake", "connect", "subscribe", "unsubscribe", "disconnect", "publish", "refused"]
_META = "/meta/"
_KINDS: dict[str, Kind] = {
    "/meta/handshake": "handshake",
    "/meta/connect": "connect",
    "/meta/subscribe": "subscribe",
    "/meta/unsubscribe": "unsubscribe",
    "/meta/disconnect": "disconnect",
}
#: Members that a message must have, in the order in which they are missed.
_REQUIRED: dict[Kind, tuple[str, ...]] = {
    "handshake": ("version", "supportedConnectionTypes"),
    "connect": ("clientId", "connectionType"),
    "subscribe": ("clientId", "subscription"),
    "unsubscribe": ("clientId", "subscription"),
    "disconnect": ("clientId",),
    "publish": ("data",),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for one message. `refusal` is its whole answer if the message can't be done."""

    kind: Kind
    message: Message
    channels: tuple[ChannelName, ...] = ()
    refusal: bytes = b""

    @property
    def is_eventsource(self) -> bool:
        return self.message.text("connectionType") == "eventsource"


def read_step(message: Message) -> Step:
    """Return what a message asks for."""
    kind = _kind_of(message.channel)
    error, advice = _find_fault(kind, message)
    if error:
        members: dict[str, object] = {} if advice is None else {"advice": {"reconnect": advice}}
        if kind == "handshake":
            members |= {"version": VERSION, "supportedConnectionTypes": CONNECTION_TYPES}
        if kind in ("subscribe", "unsubscribe"):
            members |= {"subscription": message.texts("subscription") or []}
        return Step("refused", message, refusal=write_reply(message, error=error, **members))
    if kind in ("subscribe", "unsubscribe"):
        return Step(kind, message, tuple(ChannelName(name[1:]) for name in message.texts("subscription") or ()))
    if kind == "publish":
        return Step(kind, message, (ChannelName(message.channel[1:]),))
    return Step(kind, message)


def _kind_of(channel: str) -> Kind:
    if channel.startswith(_META):
        return _KINDS.get(channel, "refused")
    return "publish"


def _find_fault(kind: Kind, message: Message) -> tuple[str, str | None]:
    """Return the error of a message, empty if there is none, and what the client is advised to do then."""
    if kind == "refused":
        return write_error(403, "Forbidden channel", message.channel), None
    if kind == "publish" and not _CHANNEL.match(message.channel):
        return write_error(405, "Invalid channel", message.channel), None
    for name in _REQUIRED[kind]:
        if _is_missing(message, name):
            return write_error(402, "Missing required parameter", name), None
    if kind == "handshake":
        return _find_handshake_fault(message)
    if kind == "connect":
        connection_type = message.text("connectionType") or ""
        if connection_type not in CONNECTION_TYPES:
            return write_error(301, "Connection types not supported", connection_type), None
    if kind in ("subscribe", "unsubscribe"):
        return next(
            (fault for name in message.texts("subscription") or () if (fault := find_name_fault(name))), ""
        ), None
    return "", None


def _is_missing(message: Message, name: str) -> bool:
    if name == "data":
        return name not in message.members
    return not (message.texts(name) if name in ("supportedConnectionTypes", "subscription") else message.text(name))


def _find_handshake_fault(message: Message) -> tuple[str, str | None]:
    """Such a client would fail for ever, so it is advised to give up."""
    for name in ("version", "minimumVersion"):
        version = message.text(name)
        if version is not None and not _is_version_1(version):
            return write_error(300, "Version mismatch", version), "none"
    offered = message.texts("supportedConnectionTypes") or []
    if not {*offered} & {*CONNECTION_TYPES}:
        return write_error(301, "Connection types not supported", *offered[:20]), "none"
    return "", None


def _is_version_1(version: str) -> bool:
    return _VERSION.match(version) is not None and version.split(".")[0] == "1"


def find_name_fault(name: str) -> str:
    """Return why this is no channel to subscribe to, empty if it is one."""
    if _WILDCARD.match(name):
        return write_error(403, "Forbidden channel", name)  # a subscription names its channels one by one
    if not _CHANNEL.match(name):
        return write_error(405, "Invalid channel", name)
    if name.startswith((_META, "/service/")) or name in ("/meta", "/service"):
        return write_error(403, "Forbidden channel", name)
    try:
        parse_channel_name(name[1:])
    except InvalidRequest:
        return write_error(405, "Invalid channel", name)
    return ""


_SHAKE_HANDS = {"reconnect": "handshake", "interval": 0}


def unknown_client(step: Step) -> bytes:
    """Return the answer to a client that this server does not know: it is to shake hands again."""
    advice = {} if step.kind == "disconnect" else {"advice": _SHAKE_HANDS}
    error = write_error(401, "Unknown client", step.message.client_id or "")
    return write_reply(step.message, error=error, **advice)


def unknown_stream(client_id: str) -> bytes:
    """Return what tells the same to a client that only listens."""
    error = write_error(401, "Unknown client", client_id)
    return write_reply(Message({"channel": Raw(b'"/meta/connect"')}), error=error, advice=_SHAKE_HANDS)
