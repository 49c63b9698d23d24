"""Channel rules: the channel's own, else the longest prefix, else the default."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.names import ChannelName
from fanoutcloud.core.patterns import ChannelPattern, parse_pattern
from fanoutcloud.core.rules import DEFAULT_RULE, NO_RULES, ChannelRule, make_rules


def rules(*patterns: str) -> list[ChannelRule]:
    return [ChannelRule(pattern=parse_pattern(pattern)) for pattern in patterns]


def test_without_rules_everything_is_public() -> None:
    assert NO_RULES.find(ChannelName("a")) is DEFAULT_RULE
    assert not NO_RULES
    assert DEFAULT_RULE.access == "public"


def test_the_most_exact_rule_holds() -> None:
    found = make_rules(rules("*", "orders.*", "orders.eu.*", "orders.eu.7"))

    for channel, pattern in {
        "orders.eu.7": "orders.eu.7",
        "orders.eu.70": "orders.eu.*",
        "orders.us": "orders.*",
        "orders": "*",
        "z": "*",
    }.items():
        assert str(found.find(ChannelName(channel)).pattern) == pattern


def test_a_name_is_not_a_prefix() -> None:
    assert make_rules(rules("orders")).find(ChannelName("orders.7")) is DEFAULT_RULE


def test_all_that_match_are_listed_with_the_one_that_holds_first() -> None:
    found = make_rules(rules("*", "a*", "ab", "b*")).matching(ChannelName("ab"))

    assert [str(rule.pattern) for rule in found] == ["ab", "a*", "*"]


_NAMES = st.text("ab.", min_size=1, max_size=5)
_PATTERNS = st.builds(ChannelPattern, st.text("ab.", max_size=5), st.booleans())


@given(st.lists(_PATTERNS, unique=True, max_size=12), _NAMES)
def test_the_rule_found_is_the_first_of_those_that_match(patterns: list[ChannelPattern], name: str) -> None:
    found = make_rules(ChannelRule(pattern=pattern) for pattern in patterns)

    matching = found.matching(ChannelName(name))

    assert found.find(ChannelName(name)) == (matching[0] if matching else DEFAULT_RULE)


_TEXTS = st.text("ab.", min_size=1, max_size=4)


@given(
    st.dictionaries(_TEXTS.map(ChannelPattern) | _TEXTS.map(lambda text: ChannelPattern(text, is_prefix=True)),
                    st.sampled_from(["public", "token"]), max_size=6),
    st.text("ab.", max_size=3),
    st.text("ab.", max_size=3),
)  # fmt: skip
def test_what_demands_no_token_has_no_channel_that_does(
    accesses: dict[ChannelPattern, Literal["public", "token"]], prefix: str, rest: str
) -> None:
    found = make_rules([ChannelRule(pattern=pattern, access=access) for pattern, access in accesses.items()])
    pattern, channel = ChannelPattern(prefix, is_prefix=True), ChannelName(prefix + rest)
    if found.find(channel).access == "token":
        assert found.demand_token(pattern)


def test_a_rule_that_another_one_hides_demands_no_token() -> None:
    rules_ = [
        ChannelRule(pattern=parse_pattern("*"), access="token"),
        ChannelRule(pattern=parse_pattern("news.*"), access="public"),
    ]
    assert not make_rules(rules_).demand_token(parse_pattern("news.eu.*"))
    assert make_rules(rules_).demand_token(parse_pattern("n*"))
