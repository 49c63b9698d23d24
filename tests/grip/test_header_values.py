"""Lists, parameters and quotes of `Grip-*` headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanoutcloud.grip.bad_instruction import BadInstruction
from fanoutcloud.grip.header_values import Value, find_all, parse_list, parse_pair, parse_value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a", [Value("a")]),
        ("a, b,c", [Value("a"), Value("b"), Value("c")]),
        ("", []),
        (" , ,", []),
        ("a; prev-id=3", [Value("a", (("prev-id", "3"),))]),
        ("a;Prev-ID=3;filter=x ; filter=y", [Value("a", (("prev-id", "3"), ("filter", "x"), ("filter", "y")))]),
        ('a; prev-id="1,2;3"', [Value("a", (("prev-id", "1,2;3"),))]),
        (r'a; prev-id="say \"hi\" \\"', [Value("a", (("prev-id", r'say "hi" \ '.strip()),))]),
        ('a; prev-id="x", b', [Value("a", (("prev-id", "x"),)), Value("b")]),
        ("a; prev-id", [Value("a", (("prev-id", ""),))]),
        ("a; prev-id=b=c", [Value("a", (("prev-id", "b=c"),))]),
        ("it's 5\" wide, b", [Value("it's 5\" wide"), Value("b")]),
        (
            "</a,b;c>; rel=next, </d>; rel=gone",
            [Value("</a,b;c>", (("rel", "next"),)), Value("</d>", (("rel", "gone"),))],
        ),
        ('user="a,b", x=y', [Value('user="a,b"'), Value("x=y")]),
    ],
)
def test_a_list_is_split_outside_of_quotes_and_brackets(text: str, values: list[Value]):
    assert parse_list("Grip-Channel", [text]) == values


def test_repeated_headers_are_one_list():
    assert parse_list("X", ["a, b", "c"]) == [Value("a"), Value("b"), Value("c")]


@pytest.mark.parametrize("text", ['a; prev-id="x', "</a", '"a', r'a; b="x\"'])
def test_what_is_left_open_is_refused_with_the_header(text: str):
    with pytest.raises(BadInstruction, match=r"^Grip-Channel: .* is left open") as error:
        parse_list("Grip-Channel", [text])

    assert error.value.cure.startswith("close it with")


def test_parameters_are_found_by_name():
    value = parse_value("X", "a; filter=x; filter=y; n=1")

    assert (value.get("filter"), value.get_all("filter"), value.get("m")) == ("x", ("x", "y"), None)


@pytest.mark.parametrize(
    ("text", "pair"),
    [("a=b", ("a", "b")), ('a="b c"', ("a", "b c")), ("a", ("a", "")), ("a = b", ("a", "b")), ('a="', ("a", '"'))],
)
def test_pairs(text: str, pair: tuple[str, str]):
    assert parse_pair(text) == pair


def test_headers_are_found_in_any_case_and_must_be_utf8():
    headers = [(b"GRIP-channel", " é ".encode()), (b"x", b"\xff")]

    assert find_all(headers, "Grip-Channel") == ["é"]
    with pytest.raises(BadInstruction, match="X: byte 0 is not UTF-8"):
        find_all(headers, "X")


names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
texts = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs",)), max_size=12)


@given(firsts=st.lists(st.tuples(names, st.lists(st.tuples(names, texts), max_size=3)), min_size=1, max_size=4))
def test_what_is_written_with_quotes_is_read_again(firsts: list[tuple[str, list[tuple[str, str]]]]):
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = ", ".join("; ".join([first, *(f"{k}={quoted(v)}" for k, v in parameters)]) for first, parameters in firsts)

    assert parse_list("X", [text]) == [Value(first, tuple(parameters)) for first, parameters in firsts]


@given(st.text())
def test_nothing_but_our_error_is_raised(text: str):
    try:
        parse_list("X", [text])
    except BadInstruction as error:
        assert error.field == "X"  # noqa: PT017 - whatever it raises
