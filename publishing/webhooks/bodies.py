"""What a call says: the id of an event, and its body. Pure."""

import base64
import hashlib
from datetime import UTC, datetime

import msgspec

from fanoutcloud.core.items import Item
from fanoutcloud.core.webhooks import HookEvent

JSON_TYPE = ("content-type", "application/json")

_encode = msgspec.json.Encoder().encode


def make_webhook_id(event: HookEvent) -> str:
    """Return the event's id: the same whenever and by whomever it is made, and no one else's."""
    digest = hashlib.sha256(f"{event.realm}\n{event.key}".encode(errors="surrogatepass")).digest()
    return f"evt_{base64.b32encode(digest[:20]).decode().lower()}"


def ordered_key(event: HookEvent) -> str:
    """Return what is the same for all events that an ordered endpoint gets one after the other: those of a channel."""
    return hashlib.sha256(event.channel.encode(errors="surrogatepass")).hexdigest()[:32]


def event_body(event: HookEvent) -> bytes:
    """Return the event as JSON, in the shape of Standard Webhooks: type, timestamp, data."""
    return _encode({"type": event.kind, "timestamp": _instant(event.at), "data": _data(event)})


class _Stamped(msgspec.Struct):
    timestamp: str


_read_stamp = msgspec.json.Decoder(_Stamped).decode


def batch_body(bodies: list[bytes]) -> bytes:
    """Return events, each in its own shape, as one; its time is that of the first."""
    events = [msgspec.Raw(body) for body in bodies]
    stamp = _read_stamp(bodies[0]).timestamp
    return _encode({"type": "webhook.batch", "timestamp": stamp, "data": {"events": events}})


def _data(event: HookEvent) -> dict[str, object]:
    data: dict[str, object] = {"realm": event.realm}
    if event.channel:
        data["channel"] = event.channel
    if event.item is not None:
        data["items"] = [_item(event.item, event)]
    if event.data:
        data |= msgspec.json.decode(event.data, type=dict[str, msgspec.Raw])
    return data


def _item(item: Item, event: HookEvent) -> dict[str, object]:
    members: dict[str, object] = {"position": event.position or None, "id": item.id, "user": item.user}
    written = {name: value for name, value in members.items() if value is not None}
    if item.json_object is not None:
        written["data"] = msgspec.Raw(item.json_object)
    if item.tags:
        written["tags"] = item.tags
    if item.meta:
        written["meta"] = item.meta
    return written


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
