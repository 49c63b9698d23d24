"""What the server saw of a realm, as events for the people who watch it: quick start and live console.

Source: docs/api/activity.md. `at` is in seconds since 1970. An event never holds a credential.
"""

import codecs
from typing import Literal, Protocol, get_args

import msgspec

from fanoutcloud.core.errors import FanoutError
from fanoutcloud.core.names import RealmId

Transport = Literal[
    "websocket",
    "sse",
    "http-stream",
    "long-poll",
    "bayeux",
    "fpp",
    "hold-response",
    "hold-stream",
    "hold-websocket",
    "xmpp",
]

TRANSPORTS: tuple[Transport, ...] = get_args(Transport)

#: How clients publish, as `via` has it, and not the realm's own servers and people.
VIA_OF_CLIENTS = frozenset({"client", "xmpp-client"})
#: Of what is published over XMPP: by whoever administers the realm, and by clients.
VIA_XMPP = frozenset({"xmpp", "xmpp-client"})

#: How much of an item's content an event shows.
PREVIEW_CHARACTERS = 500


class Connected(msgspec.Struct, frozen=True, tag_field="kind", tag="connected"):
    """A subscriber is there. Also sent for those already there when somebody begins to watch."""

    at: float
    connection: str
    transport: Transport
    channels: list[str]
    address: str
    user: str = ""


class Disconnected(msgspec.Struct, frozen=True, tag_field="kind", tag="disconnected"):
    """A subscriber has gone, and why."""

    at: float
    connection: str
    transport: Transport
    channels: list[str]
    reason: str
    user: str = ""


class Published(msgspec.Struct, frozen=True, tag_field="kind", tag="published"):
    """A publish was accepted. `key` shows the last characters of the key that was used."""

    at: float
    channel: str
    position: str | None
    id: str | None
    size_bytes: int
    formats: list[str]
    preview: str
    via: str
    key: str | None
    outcome: str
    user: str = ""  # the client that published it, by its token
    transport: Transport | Literal[""] = ""  # by which it came, where subscribers come by it, too


class Delivered(msgspec.Struct, frozen=True, tag_field="kind", tag="delivered"):
    """One process wrote an item to its subscribers."""

    at: float
    channel: str
    position: str
    subscribers: int
    by_transport: dict[str, int]


class Refused(msgspec.Struct, frozen=True, tag_field="kind", tag="refused"):
    """A publish or a subscriber was turned away, with cause and cure."""

    at: float
    status: int
    code: str
    message: str
    cure: str
    field: str | None
    address: str


def refused_event(error: FanoutError, *, at: float, address: str) -> Refused:
    """Return the event of an error that somebody at `address` was answered with."""
    return Refused(
        at=at,
        status=error.http_status,
        code=error.code,
        message=str(error),
        cure=error.cure,
        field=error.field,
        address=address,
    )


class OriginFailure(msgspec.Struct, frozen=True, tag_field="kind", tag="origin_failed"):
    """A request could not be passed on, or the answer could not be used. `status` is what the client got."""

    at: float
    origin: str
    method: str
    path: str
    cause: str
    message: str
    cure: str
    field: str | None
    status: int
    address: str


class PresenceChanged(msgspec.Struct, frozen=True, tag_field="kind", tag="presence"):
    """Who came to a channel and who left; `occupancy` is `occupied` or `vacated` if that changed, too."""

    at: float
    channel: str
    joined: list[str]
    left: list[str]
    members: int
    connections: int
    occupancy: str


class PassedOn(msgspec.Struct, frozen=True, tag_field="kind", tag="passed_on"):
    """An origin answered a request; `wait_s` is how long that took. Requests to hold and to repeat are among them."""

    at: float
    origin: str
    method: str
    path: str
    status: int
    wait_s: float
    address: str


class Commanded(msgspec.Struct, frozen=True, tag_field="kind", tag="commanded"):
    """Somebody gave a command by stanza. `outcome` is `done`, or the condition that it was refused with."""

    at: float
    command: str
    user: str  # the bare address that it came from
    channel: str
    outcome: str
    message: str
    transport: Transport = "xmpp"


class Sampled(msgspec.Struct, frozen=True, tag_field="kind", tag="sampled"):
    """More happened than is shown: in the last second `dropped` events were left out, and `shown` were not."""

    at: float
    dropped: int
    shown: int = 0


Event = (
    Connected
    | Disconnected
    | Published
    | Delivered
    | Refused
    | OriginFailure
    | PassedOn
    | PresenceChanged
    | Commanded
    | Sampled
)


class ActivitySink(Protocol):
    """Who takes events. Costs one dictionary look-up when nobody watches the realm: ask before making an event."""

    def is_watched(self, realm: RealmId) -> bool:
        """Tell whether anybody watches the realm now."""

    def record(self, realm: RealmId, event: Event) -> None:
        """Pass the event on to the watchers; never waits, never raises; may drop, and then says how many."""


def preview_of(content: bytes) -> str:
    """Return the beginning of some content as text for people; bytes that are no text are shown as their count."""
    head = content[: PREVIEW_CHARACTERS * 4]
    try:
        text, _ = codecs.utf_8_decode(head, "strict", len(head) == len(content))  # a cut may go through a character
    except UnicodeDecodeError:
        return f"{len(content)} bytes of binary content"
    return text[:PREVIEW_CHARACTERS]
