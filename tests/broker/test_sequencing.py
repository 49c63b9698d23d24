"""Remembered ids and waiting items, by themselves."""

from fanoutcloud.broker.sequencing import RecentIds, WaitingItems
from fanoutcloud.core.streams import StreamPosition
from tests.contracts.brokers import item


def test_an_id_is_remembered_for_the_window_counted_from_its_first_use() -> None:
    ids = RecentIds(window_s=60)
    ids.remember("1", None, now=0)
    ids.remember("1", StreamPosition("abcdefgh", 1), now=30)

    ids.forget_old(now=59)
    assert ids.has("1")
    assert ids.position_of("1") == StreamPosition("abcdefgh", 1)

    ids.forget_old(now=60)
    assert not ids.has("1")


def test_more_ids_than_the_limit_push_out_the_oldest() -> None:
    ids = RecentIds(window_s=60, max_ids=3)

    for n in range(5):
        ids.remember(str(n), None, now=n)

    assert len(ids) == 3
    assert not ids.has("1")
    assert ids.has("2")


def test_forgetting_costs_as_much_as_there_is_to_forget() -> None:
    ids = RecentIds(window_s=60, max_ids=50_000)

    for n in range(200_000):  # quadratic work would take minutes here
        ids.forget_old(now=n / 1000)
        ids.remember(str(n), None, now=n / 1000)

    assert len(ids) == 50_000


def test_waiting_items_go_by_their_predecessor_or_by_age() -> None:
    waiting = WaitingItems()
    waiting.add("2", item("3"), due_at=5)
    waiting.add("7", item("8"), due_at=6)
    waiting.add("4", item("5"), due_at=7)

    assert waiting.take_follower("7") == item("8")
    assert waiting.take_follower("7") is None
    assert waiting.next_due_at() == 5
    assert list(waiting.take_overdue(now=6)) == [item("3")]
    assert waiting.take_oldest() == item("5")
    assert waiting.next_due_at() is None
