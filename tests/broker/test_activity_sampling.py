"""What is shown of a flood: an even part of each kind, and the count of the rest."""

from itertools import pairwise

from fanoutcloud.broker.activity_sampling import MAX_EVENTS_PER_S, Sampler


def test_what_can_be_read_is_shown_whole() -> None:
    sampler = Sampler()

    assert all(sampler.admit("published") for _ in range(MAX_EVENTS_PER_S))
    assert sampler.begin_second(1.0) == (0, MAX_EVENTS_PER_S)


def test_a_flood_is_shown_evenly_from_its_second_second_on() -> None:
    sampler = Sampler()
    flood = 50 * MAX_EVENTS_PER_S
    for _ in range(flood):
        sampler.admit("published")
    assert sampler.begin_second(1.0) == (flood - MAX_EVENTS_PER_S, MAX_EVENTS_PER_S)

    shown = [number for number in range(flood) if sampler.admit("published")]

    assert shown[0] == 0
    assert {late - early for early, late in pairwise(shown)} <= {49, 50, 51}
    assert len(shown) == MAX_EVENTS_PER_S


def test_a_flood_of_one_kind_hides_no_other() -> None:
    sampler = Sampler()
    for _ in range(2):
        for _ in range(100 * MAX_EVENTS_PER_S):
            sampler.admit("published")
        sampler.begin_second(1.0)

    assert sampler.admit("refused")


def test_after_a_flood_the_next_single_event_is_shown() -> None:
    sampler = Sampler()
    for _ in range(100 * MAX_EVENTS_PER_S):
        sampler.admit("published")
    sampler.begin_second(1.0)

    assert sampler.admit("published")
