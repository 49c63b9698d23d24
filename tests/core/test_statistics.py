"""What is counted, before anybody asks."""

from fanoutcloud.core.statistics import Histogram


def test_a_duration_is_counted_under_the_next_bound_above_it():
    histogram = Histogram((0.1, 1.0))

    for seconds in (0.05, 0.1, 0.2, 1.5, 99):
        histogram.observe(seconds)

    assert histogram.counts == [2, 1, 2]
    assert histogram.count == 5
    assert histogram.total_s == 0.05 + 0.1 + 0.2 + 1.5 + 99
