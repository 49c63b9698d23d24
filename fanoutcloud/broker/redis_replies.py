"""What the scripts of `redis_scripts` answer and send, read."""

from collections.abc import Sequence

import msgspec

from fanoutcloud.broker.base import History
from fanoutcloud.broker.redis_connection import Reply
from fanoutcloud.core.items import Item
from fanoutcloud.core.reads import KeptItem
from fanoutcloud.core.streams import StoredItem, StreamPosition

_unpack_one = msgspec.msgpack.Decoder(Item)
_unpacker = msgspec.msgpack.Decoder(list[Item])


def read_position(text: bytes) -> StreamPosition:
    """Return the position that a script wrote as `EPOCH:OFFSET`."""
    epoch, _, offset = text.decode().partition(":")
    return StreamPosition(epoch, int(offset))


def read_packed_items(epoch: str, first_offset: int, packed: bytes | memoryview) -> list[StoredItem]:
    """Return the items of an array that a script made; their offsets follow on each other."""
    items = _unpacker.decode(packed)
    if len(items) == 1:  # as in nearly every live message
        return [StoredItem(StreamPosition(epoch, first_offset), items[0])]
    return [StoredItem(StreamPosition(epoch, offset), item) for offset, item in enumerate(items, first_offset)]


def read_live_payload(payload: bytes) -> list[StoredItem]:
    """Return the items of a live message: `EPOCH:OFFSET:` and an array."""
    epoch, first_offset, packed = payload.split(b":", 2)
    return read_packed_items(epoch.decode(), int(first_offset), packed)


def read_history_reply(reply: Sequence[Reply]) -> History:
    """Return what the script for history answered."""
    epoch, last, is_other_epoch, *rows = reply
    if not epoch:
        return History([], None)
    name = epoch.decode()
    items = [
        KeptItem(StreamPosition(name, offset), _unpack_one.decode(packed), stamp_ms / 1000)
        for offset, stamp_ms, packed in zip(rows[::3], rows[1::3], rows[2::3], strict=True)
    ]
    return History(items, StreamPosition(name, last), bool(is_other_epoch))
