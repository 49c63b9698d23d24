"""Which node of a Redis Cluster has which slot."""

from binascii import crc_hqx
from collections.abc import Iterable, Sequence

from fanoutcloud.broker.redis_connection import RedisConnection, Reply
from fanoutcloud.core.errors import Unavailable

SLOTS = 16384

#: Host and port of a primary.
Place = tuple[str, int]


def slot_of(key: str) -> int:
    """Return the slot of a key. Source: Redis Cluster specification, "Key distribution model" and "Hash tags"."""
    start = key.find("{")
    if start >= 0:
        end = key.find("}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key.encode(), 0) % SLOTS


class SlotMap:
    """Where each slot is. Compares equal to a map that says the same."""

    def __init__(self, ranges: Iterable[tuple[int, int, Place]] = ()) -> None:
        self._places: list[Place | None] = [None] * SLOTS
        for first, last, place in ranges:
            self._places[first : last + 1] = [place] * (last + 1 - first)
        self.places: set[Place] = {place for place in self._places if place is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotMap) and self._places == other._places

    def copy(self) -> "SlotMap":
        """Return a map that says the same and does not change with this one."""
        copied = SlotMap()
        copied._places, copied.places = self._places.copy(), self.places.copy()
        return copied

    __hash__ = None  # type: ignore[assignment]  # it can change

    def place_of(self, slot: int) -> Place:
        """Return the node that has the slot.

        Raises:
            Unavailable: no node has it.
        """
        place = self._places[slot]
        if place is None:
            raise Unavailable("no node of the broker has this channel", retry_after_s=1)
        return place

    def note_move(self, slot: int, place: Place) -> None:
        """Believe a node that says where a slot is now."""
        self._places[slot] = place
        self.places.add(place)


async def look_up_slots(connection: RedisConnection, asked: Place) -> SlotMap:
    """Return the map as the node at the other end, reached at `asked`, knows it.

    Raises:
        Unavailable: it did not answer, or is no node of a Cluster.
    """
    rows: Sequence[Reply] = await connection.call("CLUSTER", "SLOTS")
    return SlotMap((row[0], row[1], ((row[2][0] or b"").decode() or asked[0], row[2][1])) for row in rows)
