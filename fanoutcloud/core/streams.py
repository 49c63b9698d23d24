"""Where a reader stands in a channel, and how that is written on the wire."""

import secrets

import msgspec

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.items import Item

_EPOCH_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no l, o, 0, 1: epochs are read out loud in support calls
EPOCH_LENGTH = 8
MAX_OFFSET = 2**53 - 1  # what a JavaScript number holds exactly


def new_epoch() -> str:
    """Return the name of a new stream: 8 random letters and digits, 40 bits."""
    return "".join(secrets.choice(_EPOCH_ALPHABET) for _ in range(EPOCH_LENGTH))


class StreamPosition(msgspec.Struct, frozen=True, gc=False):
    """A place in a channel: after the item number `offset` of the stream `epoch`. Offset 0 is before the first."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"


#: Where somebody begins who wants the newest item, and then what follows; each channel has its own place for it.
LAST_ITEM = StreamPosition("", -1)


class StoredItem(msgspec.Struct, frozen=True):
    """An item with the position that the broker gave it."""

    position: StreamPosition
    item: Item


class PositionLost(Exception):
    """The stream can't be continued from a position. `reason` is `epoch_changed` or `history_expired`.

    `top` is the newest position of the stream as it is now: where a reader who accepts the loss goes on.
    """

    def __init__(self, reason: str, top: StreamPosition) -> None:
        super().__init__(reason, top)
        self.reason = reason
        self.top = top


EPOCH_CHANGED = "epoch_changed"
HISTORY_EXPIRED = "history_expired"


def parse_position(text: str, *, field: str = "since") -> StreamPosition:
    """Return the position written as `epoch:offset`.

    Raises:
        InvalidRequest: the text is no position.
    """
    epoch, _, digits = text.partition(":")
    is_epoch = len(epoch) == EPOCH_LENGTH and epoch.isascii() and epoch.isalnum()
    if is_epoch and digits.isascii() and digits.isdigit() and len(digits) <= 16 and int(digits) <= MAX_OFFSET:
        return StreamPosition(epoch, int(digits))
    raise InvalidRequest(
        "this is no position",
        cure="send back a position exactly as it was received, or leave it out",
        field=field,
    )


def parse_cursor(text: str, count: int, *, field: str = "since") -> list[StreamPosition | None]:
    """Return the positions of a cursor: one per channel, in the order of the request, joined by commas.

    An empty one, of a channel that is new to the client, is None.

    A cursor made for another list of channels is refused when the count differs; when only the names differ, the
    epochs, which are random per channel, show it, and each such channel is told `reset`.
    """
    parts = text.split(",", count)
    if len(parts) != count:
        raise InvalidRequest(
            f"the cursor holds {len(text.split(','))} positions, the request {count} channels",
            cure="ask for the channels that the cursor was made for, in the same order",
            field=field,
        )
    return [parse_position(part, field=field) if part else None for part in parts]


def write_cursor(positions: list[StreamPosition]) -> str:
    """Return the text that `parse_cursor` reads."""
    return ",".join(map(str, positions))
