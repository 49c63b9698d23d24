"""Channel patterns: an exact name, or a prefix followed by `*`.

Nothing else, so that a match costs one comparison and no pattern can explode. Used by channel rules, by tokens and by
wildcard subscriptions; the most exact pattern wins where several match.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName, parse_channel_name


@dataclass(frozen=True, slots=True)
class ChannelPattern:
    """`text` without its `*` if `is_prefix`, else a whole name. An empty prefix matches every channel."""

    text: str
    is_prefix: bool = False

    def matches(self, channel: ChannelName) -> bool:
        """Return whether the pattern covers `channel`."""
        return channel.startswith(self.text) if self.is_prefix else channel == self.text

    @property
    def exactness(self) -> tuple[bool, int]:
        """Order by this, largest first, to meet the most exact pattern first."""
        return not self.is_prefix, len(self.text)

    def covers(self, other: "ChannelPattern") -> bool:
        """Return whether all channels of the other pattern are of this one, too."""
        return other.text.startswith(self.text) if self.is_prefix else self == other

    def __str__(self) -> str:
        return f"{self.text}*" if self.is_prefix else self.text


def parse_pattern(text: str, *, field: str = "pattern") -> ChannelPattern:
    """Return `text` as a pattern: `orders` is one channel, `orders.*` all that begin with `orders.`, `*` all.

    Raises:
        InvalidRequest: it has a `*` elsewhere than at its end, or what is before it can't begin a channel's name.
    """
    prefix = text.removesuffix("*")
    if "*" in prefix:
        raise InvalidRequest(
            "a pattern has one * at most, at its end", cure="use such as orders.* or orders", field=field
        )
    if prefix or text != "*":
        parse_channel_name(prefix, field=field)
    return ChannelPattern(prefix, is_prefix=prefix != text)


class Prefixes:
    """Many prefixes; those of a channel are found by one look-up for each length that they have."""

    __slots__ = ("_by_length",)

    def __init__(self, prefixes: Iterable[str] = ()) -> None:
        self._by_length: dict[int, set[str]] = {}
        for prefix in prefixes:
            self.add(prefix)

    def add(self, prefix: str) -> None:
        """Have it among them."""
        self._by_length.setdefault(len(prefix), set()).add(prefix)

    def discard(self, prefix: str) -> None:
        """Have it among them no more."""
        alike = self._by_length.get(len(prefix), set())
        alike.discard(prefix)
        if not alike:
            self._by_length.pop(len(prefix), None)

    def find(self, channel: ChannelName) -> list[str]:
        """Return those that the channel begins with."""
        return [prefix for length, alike in self._by_length.items() if (prefix := channel[:length]) in alike]
