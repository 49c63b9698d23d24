"""Slots of a Cluster."""

import pytest

from fanoutcloud.broker.redis_slots import SlotMap, slot_of
from fanoutcloud.core.errors import Unavailable


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        ("123456789", 0x31C3),  # Redis Cluster specification, appendix A
        ("foo", 12182),
        ("foo{hash_tag}", 2515),
        ("{hash_tag}bar", 2515),
        ("foo{}{bar}", 8363),
    ],
)
def test_slots_are_those_of_redis(key: str, slot: int) -> None:
    assert slot_of(key) == slot


def test_a_map_says_where_a_slot_is_and_believes_a_move() -> None:
    slots = SlotMap([(0, 99, ("a", 1)), (100, 16383, ("b", 1))])
    before = slots.copy()

    slots.note_move(5, ("b", 1))

    assert (before.place_of(5), slots.place_of(5), slots.place_of(6)) == (("a", 1), ("b", 1), ("a", 1))
    assert slots != before
    assert before == before.copy()


def test_a_slot_that_nobody_has_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        SlotMap([(0, 99, ("a", 1))]).place_of(100)
