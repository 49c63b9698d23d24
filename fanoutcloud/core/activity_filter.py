"""Which events of a realm somebody wants to see; applied where events are made, before any are left out."""

import msgspec

from fanoutcloud.core.errors import InvalidRequest

MAX_FILTER_CHARACTERS = 512


class _Facets(msgspec.Struct):
    """What can be asked of events of all kinds."""

    kind: str
    channel: str = ""
    channels: list[str] = []
    user: str = ""
    joined: list[str] = []
    left: list[str] = []
    transport: str = ""
    by_transport: dict[str, int] = {}


class ActivityFilter(msgspec.Struct, frozen=True):
    """Each member that is not empty must hold. An event that has nothing of the kind does not match.

    `channel` and `user` are contained in the event's, as they are written; `text` is contained anywhere in it, in
    capitals or not; `transport` is one of the event's.
    """

    channel: str = ""
    user: str = ""
    transport: str = ""
    text: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether everything matches."""
        return not (self.channel or self.user or self.transport or self.text)

    def matches(self, line: bytes) -> bool:
        """Tell whether an event, as JSON, is wanted. What tells of events left out always is."""
        if self.is_empty:
            return True
        facets = _facets.decode(line)
        if facets.kind == "sampled":
            return True
        return (
            _is_in(self.channel, [facets.channel, *facets.channels])
            and _is_in(self.user, [facets.user, *facets.joined, *facets.left])
            and (not self.transport or self.transport == facets.transport or self.transport in facets.by_transport)
            and self.text.lower() in line.decode().lower()
        )


def _is_in(wanted: str, names: list[str]) -> bool:
    return not wanted or any(wanted in name for name in names)


def parse_filter(text: str) -> ActivityFilter:
    """Return the filter that a watcher sent as JSON.

    Raises:
        InvalidRequest: it is none.
    """
    try:
        wanted = _filters.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise InvalidRequest("is no filter", cure='send {"channel":"","user":"","transport":"","text":""}') from None
    parts = wanted.channel, wanted.user, wanted.transport, wanted.text
    if max(map(len, parts)) > MAX_FILTER_CHARACTERS:
        raise InvalidRequest("the filter is too long", cure=f"use up to {MAX_FILTER_CHARACTERS} characters")
    return wanted


_facets = msgspec.json.Decoder(_Facets)
_filters = msgspec.json.Decoder(ActivityFilter)
