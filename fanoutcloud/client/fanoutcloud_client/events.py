"""What a subscription tells: items, and what the application has to know of its place in the channels."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fanoutcloud_client.items import NOTHING, JsonObject


@dataclass(frozen=True, slots=True)
class ReceivedItem:
    """An item. `data` is its JSON; without any it is NOTHING, and `text` or `raw` has the transport's own format."""

    channel: str
    position: str
    data: Any = NOTHING  # any JSON
    text: str | None = None
    raw: bytes | None = None
    id: str | None = None
    user: str | None = None
    tags: Mapping[str, str | float | bool] = field(default_factory=dict)
    published_at: str | None = None  # from history only

    @property
    def content(self) -> Any:  # any JSON, or text, or bytes
        """What there is: JSON, else text, else bytes."""
        if self.data is not NOTHING:
            return self.data
        return self.raw if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The channel is subscribed; items behind `position` follow. `recovered`: nothing was lost since yours."""

    channel: str
    position: str
    recovered: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """Items of the channel were lost to you: load your state anew. `reason` says why."""

    channel: str
    position: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The channel is yours no more: the token does not allow it, or a pattern's channel fell silent."""

    channel: str


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """Who is on the channel: `members` is everybody (the first message), else `joined` and `left` say what changed.

    `is_partial`: there are more than are named.
    """

    channel: str
    count: int
    anonymous: int
    members: list[JsonObject] | None = None
    joined: list[JsonObject] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class ChannelError:
    """The server refused something about a channel; the others go on."""

    channel: str
    code: str
    message: str
    cure: str


Event = ReceivedItem | Reset | Subscribed | Unsubscribed | PresenceChange | ChannelError


def read_item(message: Mapping[str, Any]) -> ReceivedItem:
    """Return the item of a message, of an answer of a long-poll, or of a row of history."""
    raw = message.get("base64")
    return ReceivedItem(
        channel=str(message.get("channel", "")),
        position=str(message.get("position", "")),
        data=message.get("data", NOTHING),
        text=message.get("text"),
        raw=base64.b64decode(raw) if isinstance(raw, str) else None,
        id=message.get("id"),
        user=message.get("user"),
        tags=message.get("tags") or {},
        published_at=message.get("published_at"),
    )


def read_event(message: Mapping[str, Any]) -> Event | None:
    """Return what a message tells the application, or None: it is between server and client, or of a newer server."""
    channel, position = str(message.get("channel", "")), str(message.get("position", ""))
    match message.get("type"):
        case "item":
            return read_item(message)
        case "reset":
            return Reset(channel, position, str(message.get("reason", "")))
        case "subscribed" if channel:
            return Subscribed(channel, position, message.get("recovered") is True)
        case "unsubscribed" if channel:
            return Unsubscribed(channel)
        case "presence":
            return _read_presence(message)
        case "error" if channel or message.get("pattern"):
            words = {name: str(message.get(name, "")) for name in ("code", "message", "cure")}
            return ChannelError(channel or str(message["pattern"]), **words)
    return None


def _read_presence(message: Mapping[str, Any]) -> PresenceChange:
    return PresenceChange(
        channel=str(message.get("channel", "")),
        count=int(message.get("count", 0)),
        anonymous=int(message.get("anonymous", 0)),
        members=message.get("members"),
        joined=message.get("joined") or [],
        left=message.get("left") or [],
        is_partial=message.get("partial") is True or "cursor" in message,
    )
