"""The feed of which channels have subscribers: its cursors and lines (docs/api/rest-compat.md). Pure.

What changes is kept as items of a channel of the realm's own, whose name no subscriber can have: so cursors are the
same on every server. A cursor is Base64 of text with a `_`, and clients compare only what is behind the first.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

import msgspec

from fanoutcloud.core.allowances import Retention
from fanoutcloud.core.errors import NotFound
from fanoutcloud.core.items import Item
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.streams import MAX_OFFSET, StoredItem, StreamPosition

#: Where changes are kept. A control character: `parse_channel_name` refuses it.
FEED_CHANNEL = ChannelName("\x01subscriptions")
FEED_RETENTION = Retention(items=5000, age_s=3600.0)
MAX_FEED_PAGE = 1000

State = Literal["subscribed", "unsubscribed"]
_encode = msgspec.json.Encoder().encode


class CursorTooOld(NotFound):
    """Changes after the cursor are kept no more, or it is none of ours."""

    code = "cursor_too_old"
    default_cure = "ask again without since"


class Change(msgspec.Struct, frozen=True):
    """One channel has got its first subscriber, or has had none for a while."""

    channel: str
    state: State


@dataclass(frozen=True, slots=True)
class FeedCursor:
    """A place in the feed. `after` is set while the channels that were there at the beginning are listed."""

    position: StreamPosition
    after: str | None = None

    def __str__(self) -> str:
        listing = "" if self.after is None else "." + base64.b16encode(self.after.encode()).decode()
        text = f"{self.position.epoch}{listing}_{self.position.offset}"
        return base64.b64encode(text.encode()).decode()


def parse_feed_cursor(text: str) -> FeedCursor:
    """Return the cursor.

    Raises:
        CursorTooOld: it is none: its client begins anew, as with one whose changes are forgotten.
    """
    try:
        head, _, offset = base64.b64decode(text, validate=True).decode().partition("_")
        epoch, dot, after = head.partition(".")
        position = StreamPosition(epoch, int(offset))
        if not 0 <= position.offset <= MAX_OFFSET:
            raise ValueError
        return FeedCursor(position, base64.b16decode(after).decode() if dot else None)
    except (ValueError, binascii.Error):
        raise CursorTooOld("this is no cursor of the feed", field="since") from None


def change_item(channel: ChannelName, state: State) -> Item:
    """Return what keeps a change."""
    return Item(FEED_CHANNEL, json_object=_encode(Change(channel, state)), no_seq=True)


def write_line(stored: StoredItem) -> bytes:
    """Return the stream's line for a change."""
    at = stored.position
    before = FeedCursor(StreamPosition(at.epoch, at.offset - 1))
    item = stored.item.json_object or b"{}"
    return b'{"cursor":"%b","prev_cursor":"%b","item":%b}\n' % (
        str(FeedCursor(at)).encode(),
        str(before).encode(),
        item,
    )


def write_page(items: list[bytes], cursor: FeedCursor) -> bytes:
    """Return the answer to a request for items, each of which is JSON already."""
    return b'{"items":[%b],"last_cursor":"%b"}\n' % (b",".join(items), str(cursor).encode())


def write_change(channel: str, state: State) -> bytes:
    """Return a change as JSON."""
    return _encode(Change(channel, state))
