"""What a subscriber asks for: channels and where to begin, from the query and `Last-Event-ID`."""

from collections.abc import Sequence
from urllib.parse import unquote_plus

import msgspec

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name
from fanoutcloud.core.patterns import ChannelPattern, parse_pattern
from fanoutcloud.core.streams import StreamPosition, parse_cursor
from fanoutcloud.edge.connections.sinks import Scope
from fanoutcloud.edge.selection.selected import Wishes
from fanoutcloud.edge.selection.wishes import read_wishes

#: More members than this in one query are refused before anything is looked at.
MAX_QUERY_MEMBERS = 1100


class SubscribeRequest(msgspec.Struct, frozen=True):
    """Channels in the order of the request, each once, with a position each if the client came with a cursor.

    Those whose position is None begin now.
    """

    channels: Sequence[ChannelName]
    since: Sequence[StreamPosition | None] | None
    options: dict[str, str]
    wishes: Wishes | None = None
    patterns: Sequence[ChannelPattern] = ()

    @property
    def watched(self) -> frozenset[ChannelName]:
        """The channels of which the client wants to know who comes and goes."""
        return frozenset(self.channels) if self.options.get("presence") == "1" else frozenset()

    @property
    def wanted(self) -> list[tuple[ChannelName, StreamPosition | None]]:
        """Each channel with its position, or None for "from now"."""
        since: Sequence[StreamPosition | None] = self.since or [None] * len(self.channels)
        return list(zip(self.channels, since, strict=True))


def parse_subscribe(
    scope: Scope, *, max_channels: int, needs_channel: bool = True, max_patterns: int = 0
) -> SubscribeRequest:
    """Read a subscriber's request. Without `max_patterns`, channels can only be named.

    `Last-Event-ID` wins over `lastEventId` and `since` of the query: an EventSource repeats its first URL for ever.

    Raises:
        InvalidRequest: the query, a channel name or the cursor is wrong; names the member.
    """
    members = _query(scope)
    channels: dict[ChannelName, None] = {}
    patterns: dict[ChannelPattern, None] = {}
    options: dict[str, str] = {}
    for name, value in members:
        if name == "channel":
            channels[parse_channel_name(value)] = None
        elif name == "pattern":
            patterns[parse_wildcard(value)] = None
        else:
            options[name] = value
    if patterns:
        check_pattern_count(len(patterns), max_patterns)
    if needs_channel and not channels and not patterns:
        raise InvalidRequest("no channel is named", cure="add ?channel=NAME", field="channel")
    check_channel_count(len(channels), max_channels)
    cursor = _last_event_id(scope) or options.get("lastEventId") or options.get("since")
    since = parse_cursor(cursor, len(channels)) if cursor and channels else None
    return SubscribeRequest(list(channels), since, options, read_wishes(options, channels), list(patterns))


def check_channel_count(count: int, max_channels: int) -> None:
    """Refuse more channels than one subscriber may have."""
    if count > max_channels:
        raise InvalidRequest(
            f"{count:,} channels on one subscriber",
            cure=f"use at most {max_channels:,}, or several connections",
            field="channel",
        )


def parse_wildcard(text: str) -> ChannelPattern:
    """Return the pattern that a subscriber wants to follow: a prefix and `*`."""
    pattern = parse_pattern(text)
    if not pattern.is_prefix:
        raise InvalidRequest("names one channel", cure="use channel, or a pattern such as orders.*", field="pattern")
    return pattern


def check_pattern_count(count: int, max_patterns: int) -> None:
    """Refuse more patterns than one subscriber may have, and any where there are none."""
    if max_patterns == 0:
        raise InvalidRequest(
            "patterns are not offered here", cure="use /fanout/ws or /fanout/stream, or name channels", field="pattern"
        )
    if count > max_patterns:
        raise InvalidRequest(
            f"{count:,} patterns on one subscriber",
            cure=f"use at most {max_patterns:,}, or several connections",
            field="pattern",
        )


def choose(options: dict[str, str], name: str, *, among: Sequence[str]) -> str:
    """Return the option's value, the first of `among` when it is not given."""
    value = options.get(name, among[0])
    if value not in among:
        raise InvalidRequest(f"{value[:40]!r} is not offered", cure=f"use {' or '.join(among)}", field=name)
    return value


def read_seconds(options: dict[str, str], name: str, *, default: float, limit: float) -> float:
    """Return the option as seconds from 0 to `limit`; larger values are cut to it."""
    text = options.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise InvalidRequest("must be a whole number of seconds", cure="use such as 25", field=name)
    return min(float(text), limit)


def read_limit(options: dict[str, str], *, most: int, of: str) -> int:
    """Return how many a page may hold, 1 to `most`; 100 when it is not given. `of` names what it is a page of."""
    text = options.get("limit", "100")
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= most):
        raise InvalidRequest(f"must be a number of {of}", cure=f"use 1 to {most}", field="limit")
    return int(text)


def client_address(scope: Scope) -> str:
    """Return the IP address of the peer, as the server tells it."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _query(scope: Scope) -> list[tuple[str, str]]:
    """Return the members of the query, as `urllib.parse.parse_qsl` does, at a third of its price for plain ones."""
    try:
        parts = scope["query_string"].decode("ascii").split("&")
        if len(parts) > MAX_QUERY_MEMBERS:
            raise InvalidRequest(
                f"has more than {MAX_QUERY_MEMBERS:,} members", cure="ask for fewer channels", field="query"
            )
        members = [part.partition("=") for part in parts if part]
        return [(_decode(name), _decode(value)) for name, _, value in members]
    except UnicodeError:
        raise InvalidRequest("is not UTF-8", cure="percent-encode names as UTF-8", field="query") from None


def _decode(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def _last_event_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return str(value.decode("latin-1"))
    return None
