"""What a client says on a WebSocket, one JSON object per message (docs/api/subscribe.md)."""

from typing import Literal

import msgspec

from fanoutcloud.core.errors import InvalidRequest


class _Wire(msgspec.Struct):
    type: str
    channel: str | None = None
    pattern: str | None = None
    since: str | None = None
    filter: str | None = None
    presence: bool = False
    delta: str | None = None
    token: str | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None


class Command(msgspec.Struct, frozen=True):
    """A command whose shape is right; channel and position are still text."""

    type: Literal["subscribe", "unsubscribe", "publish", "auth", "ping"]
    channel: str | None = None
    since: str | None = None
    filter: str | None = None
    presence: bool = False
    delta: str | None = None
    token: str = ""
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    id: str | None = None
    pattern: str | None = None


_decoder = msgspec.json.Decoder(_Wire)
_EXAMPLE = '{"type":"subscribe","channel":"hello"}'


def parse_command(text: str) -> Command:
    """Return the command.

    Raises:
        InvalidRequest: it is no JSON object, of no known type, or lacks its channel.
    """
    try:
        wire = _decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise InvalidRequest("the message is no command", cure=f"send such as {_EXAMPLE}") from None
    match wire.type:
        case "ping":
            return Command("ping")
        case "auth":
            if not wire.token:
                raise InvalidRequest("no token is in it", cure='send {"type":"auth","token":"…"}', field="token")
            return Command("auth", token=wire.token)
        case "subscribe" | "unsubscribe":
            if wire.pattern is not None:
                return _parse_pattern_command(wire, wire.type)
            if wire.channel is None:
                raise InvalidRequest("no channel is named", cure=f"send such as {_EXAMPLE}", field="channel")
            return Command(wire.type, wire.channel, wire.since, wire.filter, wire.presence, wire.delta)
        case "publish":
            return Command("publish", wire.channel, data=wire.data, id=wire.id)
        case other:
            raise InvalidRequest(
                f"there is no command {other[:40]!r}",
                cure="use subscribe, unsubscribe, publish, auth or ping",
                field="type",
            )


def _parse_pattern_command(wire: _Wire, type_: Literal["subscribe", "unsubscribe"]) -> Command:
    """Return a command for a pattern; what only named channels have is refused."""
    for name, is_there in (("channel", wire.channel), ("since", wire.since), ("presence", wire.presence)):
        if is_there:
            raise InvalidRequest(
                f"a pattern has no {name}", cure="send channel with since or presence by itself", field=name
            )
    return Command(type_, pattern=wire.pattern, filter=wire.filter, delta=wire.delta)
