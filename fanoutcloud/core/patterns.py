"""Channel patterns: an exact name, or a prefix followed by `*`.

Nothing else, so that a match costs one comparison and no pattern can explode. Used by channel rules, by tokens and by
wildcard subscriptions; the most exact pattern wins where several match.
"""

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
