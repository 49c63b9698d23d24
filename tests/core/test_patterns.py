"""Patterns: exact names and prefixes, nothing that could explode."""

import pytest

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import Prefixes, parse_pattern


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


def test_a_pattern_covers_those_whose_channels_are_all_its_own() -> None:
    orders, all_, one = parse_pattern("orders.*"), parse_pattern("*"), parse_pattern("orders.1")
    assert all_.covers(orders)
    assert orders.covers(orders)
    assert orders.covers(one)
    assert not orders.covers(all_)
    assert not one.covers(orders)
    assert not parse_pattern("orders.").covers(orders)


def test_prefixes_of_a_channel_are_found_and_can_be_taken_out_again() -> None:
    prefixes = Prefixes(["", "a.", "a.b.", "c."])
    assert sorted(prefixes.find(ChannelName("a.b.1"))) == ["", "a.", "a.b."]
    prefixes.discard("")
    prefixes.discard("a.")
    prefixes.discard("never there")
    assert prefixes.find(ChannelName("a.1")) == []
    assert prefixes.find(ChannelName("a.b.1")) == ["a.b."]
