"""Patterns: exact names and prefixes, nothing that could explode."""

import pytest

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import parse_pattern


@pytest.mark.parametrize(
    ("pattern", "channel", "matches"),
    [
        ("orders", "orders", True),
        ("orders", "orders.1", False),
        ("orders.*", "orders.1", True),
        ("orders.*", "orders.", True),
        ("orders.*", "orders", False),
        ("*", "anything", True),
    ],
)
def test_a_pattern_is_a_name_or_a_prefix(pattern: str, channel: str, matches: bool) -> None:
    assert parse_pattern(pattern).matches(ChannelName(channel)) is matches
    assert str(parse_pattern(pattern)) == pattern


@pytest.mark.parametrize("text", ["a*b", "**", "*a", "a**", "", "a\n*"])
def test_other_patterns_are_refused_with_their_place(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_pattern(text, field="channels[0]")
    assert refused.value.field == "channels[0]"


def test_exact_names_come_before_prefixes_and_long_prefixes_before_short_ones() -> None:
    patterns = [parse_pattern(text) for text in ("*", "a.*", "a.b.*", "a")]
    assert [str(p) for p in sorted(patterns, key=lambda p: p.exactness, reverse=True)] == ["a", "a.b.*", "a.*", "*"]
