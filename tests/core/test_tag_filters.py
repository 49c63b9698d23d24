"""The filter language: what it means, how faults are placed, and that nothing in it can explode."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.core.errors import InvalidRequest
from fanoutcloud.core.tag_filters import MAX_COMPARISONS, MAX_DEPTH, MAX_FILTER_CHARACTERS, parse_filter
from fanoutcloud.core.tags import TagValue
from tests.core.published import refusal_or

TAGS: dict[str, TagValue] = {"kind": "fire", "n": 3, "x": 2.5, "on": True, "one": 1, "a.b": "ü'"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("kind == 'fire'", True),
        ('kind == "fire"', True),
        ("kind == 'Fire'", False),
        ("kind != 'fire'", False),
        ("kind != 'ice'", True),
        ("n == 3", True),
        ("n == 3.0", True),
        ("n == '3'", False),
        ("n != '3'", True),
        ("n < 3", False),
        ("n <= 3", True),
        ("n > 2.5", True),
        ("n >= 4", False),
        ("x > -1", True),
        ("kind < 'g'", True),
        ("kind < 3", False),
        ("kind > 3", False),
        ("on == true", True),
        ("on == false", False),
        ("on == 1", False),
        ("one == true", False),
        ("on < 2", False),
        ("n in (1, 2, 3)", True),
        ("kind in ('ice','fire')", True),
        ("kind in (1, true)", False),
        ("kind prefix 'fi'", True),
        ("kind prefix ''", True),
        ("n prefix '3'", False),
        ("missing == 'a'", False),
        ("missing != 'a'", True),
        ("missing < 1", False),
        ("not missing < 1", True),
        ("missing in (1)", False),
        ("not kind == 'ice'", True),
        ("not not kind == 'ice'", False),
        ("n == 1 or kind == 'fire' and n == 3", True),
        ("(n == 3 or kind == 'fire') and n == 4", False),
        ("n == 3 or kind == 'fire' and n == 4", True),
        ("  n\t==\n3 ", True),
        (r"a.b == 'ü\''", True),
        (r"""a.b == "ü'" """, True),
    ],
)
def test_a_filter_says_what_it_means(text: str, matches: bool) -> None:
    assert parse_filter(text).matches(TAGS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "filter: at character 1: the end stands where the name of a tag would"),
        ("n", "filter: at character 2: the end stands where ==, !=, <, <=, >, >=, in or prefix would"),
        ("n = 3", "filter: at character 3: there is no operator '='"),
        ("n == ", "filter: at character 6: the end stands where a value would"),
        ("n == kind", "filter: at character 6: 'kind' stands where a value would"),
        ("n == 3 n == 4", "filter: at character 8: 'n' follows where 'and', 'or' or the end would"),
        ("(n == 3", "filter: at character 8: the end stands where ')' would"),
        ("n in 3", "filter: at character 6: '3' stands where '(' would"),
        ("n in ()", "filter: at character 7: ')' stands where a value would"),
        ("kind prefix 3", "filter: at character 13: '3' stands where a text in quotes would"),
        ("on < true", "filter: at character 6: true and false have no order for <"),
        ("kind == 'fire", "filter: at character 9: the text has no end"),
        ("n == 3abc", "filter: at character 6: can't read '3abc'"),
        ("n ~ 'a'", "filter: at character 3: can't read \"~ 'a'\""),
        ("and == 3", "filter: at character 1: 'and' stands where the name of a tag would"),
        ("true", "filter: at character 1: 'true' stands where the name of a tag would"),
        (f"kind == '{'x' * 257}'", "filter: at character 9: the text is longer than any tag: 256 bytes"),
    ],
)
def test_a_fault_is_placed_by_its_character(text: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_filter(text)

    assert str(refused.value).startswith(message)
    assert refused.value.cure


@pytest.mark.parametrize(
    "text",
    [
        "n" * (MAX_FILTER_CHARACTERS + 1),
        "(" * (MAX_DEPTH + 2) + "n == 1" + ")" * (MAX_DEPTH + 2),
        "not " * (MAX_DEPTH + 2) + "n == 1",
        " or ".join(["n == 1"] * (MAX_COMPARISONS + 1)),
        "n in (" + ",".join("1" * 1 for _ in range(MAX_COMPARISONS + 1)) + ")",
        "(" * 999,
        "not " * 249,
    ],
)
def test_large_filters_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_filter(text)


def test_what_is_just_within_the_bounds_is_taken() -> None:
    nested = "(" * MAX_DEPTH + "n == 3" + ")" * MAX_DEPTH
    assert parse_filter(nested).matches(TAGS)
    assert parse_filter(" or ".join(["n == 3"] * MAX_COMPARISONS)).matches(TAGS)


def test_equal_filters_are_one_however_they_are_spaced() -> None:
    one, other = parse_filter("n==3 and kind=='a'"), parse_filter(' n == 3.0  and  kind == "a" ')

    assert one == other
    assert hash(one) == hash(other)
    assert one != parse_filter("n == 3 and kind == 'b'")


def test_true_and_one_make_different_filters() -> None:
    assert parse_filter("n == 1") != parse_filter("n == true")


@given(st.text(max_size=60) | st.text(alphabet="ab()'\"\\=<>!,.-19 \t notrndifpex", max_size=80))
def test_whatever_comes_is_a_filter_or_one_of_our_errors(text: str) -> None:
    outcome = refusal_or(lambda: parse_filter(text).matches(TAGS))

    assert isinstance(outcome, bool) or outcome.cure


def test_no_text_takes_long_to_refuse() -> None:
    begin_s = time.process_time()
    for text in ("'" + "\\'" * 490, "a" * 1000, "1" * 1000, "(" * 1000, "a.-" * 333, "9" * 16 + "." + "9" * 900):
        with pytest.raises(InvalidRequest):
            parse_filter(text)
    assert time.process_time() - begin_s < 1
