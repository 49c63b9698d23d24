"""Wishes as subscribers write them: options of a subscription, in a query or a command."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import StoredItem
from fanoutcloud.core.tag_filters import TagFilter, parse_filter
from fanoutcloud.edge.selection.selected import Wish, Wishes

FILTER = "filter"
DELTA = "delta"
MERGE_PATCH = "merge-patch"


@dataclass(frozen=True, slots=True)
class TagSelection:
    """Items whose tags match a filter."""

    filter: TagFilter

    def choose(self, stored: StoredItem) -> StoredItem | None:
        """See `Selection.choose`."""
        return stored if self.filter.matches(stored.item.tags) else None


def read_wish(options: Mapping[str, str | None]) -> Wish | None:
    """Return the wish that the options of a subscription say, or None if that is all of the channel as it is.

    Raises:
        InvalidRequest: an option is wrong; `field` names it.
    """
    text, delta = options.get(FILTER), options.get(DELTA)
    if delta not in (None, MERGE_PATCH):
        raise InvalidRequest(f"{delta[:40]!r} is not offered", cure=f"use {MERGE_PATCH}, or leave it out", field=DELTA)
    if text is None and delta is None:
        return None
    selection = None if text is None else TagSelection(parse_filter(text, field=FILTER))
    return Wish(selection, has_delta=delta is not None)


def read_wishes(options: Mapping[str, str | None], channels: Iterable[ChannelName]) -> Wishes | None:
    """Return the same wish for each channel; see `read_wish`."""
    wish = read_wish(options)
    return None if wish is None else dict.fromkeys(channels, wish)


def write_wish(wish: Wish) -> dict[str, str]:
    """Return the options that `read_wish` makes the wish of."""
    assert wish.selection is None or isinstance(wish.selection, TagSelection), "only such wishes come from options"
    options = {} if wish.selection is None else {FILTER: wish.selection.filter.text}
    return options | {DELTA: MERGE_PATCH} if wish.has_delta else options
