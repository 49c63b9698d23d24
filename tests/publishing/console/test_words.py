"""Figures in words."""

import pytest

from publishing.console.words import span, volume


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "25 h 0 min"), (864_000, "10 days")],
)
def test_a_span_is_said_in_the_units_that_matter(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("size_bytes", "words"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (3_100_000, "3.1 MB"), (5e12, "5000.0 GB")]
)
def test_a_volume_is_said_with_its_unit(size_bytes: int, words: str) -> None:
    assert volume(size_bytes) == words
